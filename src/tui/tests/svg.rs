//! A frame as an SVG: every cell where the terminal would put it, in colours that a page can show on light and dark grounds alike.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// Width and height of a cell, and where its baseline stands.
const CELL: (f64, f64, f64) = (8.4, 18.0, 13.5);
const MARGIN: f64 = 14.0;
const GROUND: &str = "#15191f";
const INK: &str = "#c9d1d9";

/// The SVG of a buffer.
pub(super) fn svg(buffer: &Buffer, title: &str) -> String {
    let (columns, rows) = (f64::from(buffer.area.width), f64::from(buffer.area.height));
    let (width, height) = (columns * CELL.0 + 2.0 * MARGIN, rows * CELL.1 + 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n<title>{}</title>\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{GROUND}\"/>\n<g font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"14\" fill=\"{INK}\" xml:space=\"preserve\">\n",
        escaped(title)
    );
    for row in 0..buffer.area.height {
        draw_row(buffer, row, &mut out);
    }
    out.push_str("</g>\n</svg>\n");
    out
}

fn draw_row(buffer: &Buffer, row: u16, out: &mut String) {
    let y = MARGIN + f64::from(row) * CELL.1;
    let mut column = 0;
    while column < buffer.area.width {
        let start = column;
        let look = look_of(&buffer[(column, row)]);
        let mut text = String::new();
        while column < buffer.area.width && look_of(&buffer[(column, row)]) == look {
            text.push_str(buffer[(column, row)].symbol());
            column += 1;
        }
        let x = MARGIN + f64::from(start) * CELL.0;
        let width = f64::from(column - start) * CELL.0;
        if let Some(ground) = &look.ground {
            out.push_str(&format!("<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{ground}\"/>\n", CELL.1));
        }
        if text.trim().is_empty() {
            continue;
        }
        // The length is given, so that a font of another width moves nothing.
        let trimmed = text.trim_end();
        let length = trimmed.chars().count() as f64 * CELL.0;
        out.push_str(&format!(
            "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\"{}>{}</text>\n",
            y + CELL.2,
            look.attributes(),
            escaped(trimmed)
        ));
    }
}

#[derive(PartialEq, Eq)]
struct CellLook {
    ink: String,
    ground: Option<String>,
    bold: bool,
    dim: bool,
    underlined: bool,
}

impl CellLook {
    fn attributes(&self) -> String {
        let mut attributes = String::new();
        if self.ink != INK {
            attributes.push_str(&format!(" fill=\"{}\"", self.ink));
        }
        if self.bold {
            attributes.push_str(" font-weight=\"bold\"");
        }
        if self.dim {
            attributes.push_str(" opacity=\"0.55\"");
        }
        if self.underlined {
            attributes.push_str(" text-decoration=\"underline\"");
        }
        attributes
    }
}

fn look_of(cell: &Cell) -> CellLook {
    let has = |modifier| cell.modifier.contains(modifier);
    let (mut ink, mut ground) = (color(cell.fg).unwrap_or_else(|| INK.to_owned()), color(cell.bg));
    if has(Modifier::REVERSED) {
        let under = ground.unwrap_or_else(|| GROUND.to_owned());
        ground = Some(std::mem::replace(&mut ink, under));
    }
    CellLook { ink, ground, bold: has(Modifier::BOLD), dim: has(Modifier::DIM), underlined: has(Modifier::UNDERLINED) }
}

fn color(color: Color) -> Option<String> {
    Some(match color {
        Color::Reset => return None,
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Cyan => "#56c2d6".to_owned(),
        Color::Green => "#7ec384".to_owned(),
        Color::Yellow => "#dfb866".to_owned(),
        Color::Red => "#ec7279".to_owned(),
        Color::Blue => "#6cb6eb".to_owned(),
        Color::Magenta => "#d38aea".to_owned(),
        _ => INK.to_owned(),
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
