//! Where things go, as a pure function of the terminal's size. All breakpoints are here.

use ratatui::layout::Rect;

/// Least terminal that can show anything but a line.
pub(crate) const LEAST: (u16, u16) = (40, 10);
/// From this width on a list has its details beside it.
const WIDE: u16 = 120;
/// From this width of list and details on the list gets more of it.
const VERY_WIDE: u16 = 150;
/// From this height on there is a blank line under the first.
const TALL: u16 = 30;

/// The parts of every screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Where and how it stands.
    pub(crate) header: Rect,
    /// The screen.
    pub(crate) body: Rect,
    /// What can be done.
    pub(crate) hints: Rect,
}

/// Splits the terminal.
pub(crate) fn parts(area: Rect) -> Parts {
    let air = u16::from(area.height >= TALL);
    let header = Rect { height: 1, ..area };
    let hints = Rect { y: area.bottom().saturating_sub(1), height: 1, ..area };
    let body = Rect { y: area.y + 1 + air, height: area.height.saturating_sub(2 + 2 * air), ..area };
    Parts { header, body, hints }
}

/// A list and, where there is room, the pane beside it.
pub(crate) fn beside(body: Rect) -> (Rect, Option<Rect>) {
    if body.width < WIDE {
        return (body, None);
    }
    let detail = (body.width * 45 / 100).min(84);
    let list = Rect { width: body.width - detail, ..body };
    (list, Some(Rect { x: list.right(), width: detail, ..body }))
}

/// A list with its counts at the left and its details at the right, as far as there is room for them.
pub(crate) fn around(body: Rect) -> (Option<Rect>, Rect, Option<Rect>) {
    const COUNTS: u16 = 22;
    if body.width < WIDE {
        return (None, body, None);
    }
    let counts = Rect { width: COUNTS, ..body };
    let rest = indent(body, COUNTS);
    // On a very wide screen the list can use more room than the details can.
    let detail = if rest.width < VERY_WIDE { rest.width * 40 / 100 } else { (rest.width * 34 / 100).min(72) };
    let list = Rect { width: rest.width - detail, ..rest };
    (Some(counts), list, Some(Rect { x: list.right(), width: detail, ..rest }))
}

/// Two halves of a page of facts, where there is room for two.
pub(crate) fn halves(body: Rect) -> (Rect, Option<Rect>) {
    if body.width < WIDE - 20 {
        return (body, None);
    }
    let left = (body.width * 45 / 100).min(76);
    (Rect { width: left, ..body }, Some(Rect { x: body.x + left, width: body.width - left, ..body }))
}

/// The upper part of an area and what is left below it.
pub(crate) fn below(area: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(area.height);
    (Rect { height: rows, ..area }, Rect { y: area.y + rows, height: area.height - rows, ..area })
}

/// An area with some columns left free at its left.
pub(crate) fn indent(area: Rect, columns: u16) -> Rect {
    let columns = columns.min(area.width);
    Rect { x: area.x + columns, width: area.width - columns, ..area }
}

/// A popup of at most that size in the middle.
pub(crate) fn popup(area: Rect, columns: u16, rows: u16) -> Rect {
    let (width, height) = (columns.min(area.width), rows.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_leaves_the_screen_at_any_size() {
        for width in 0..260 {
            for height in 0..80 {
                let area = Rect::new(0, 0, width, height);
                let parts = parts(area);
                let (list, detail) = beside(parts.body);
                let (left, right) = halves(parts.body);
                let (counts, middle, beside) = around(parts.body);
                let optional = [detail, right, counts, beside].into_iter().flatten();
                for part in [parts.body, list, left, middle, popup(area, 90, 40)].into_iter().chain(optional) {
                    assert!(part.is_empty() || part.intersection(area) == part, "{part:?} in {area:?}");
                }
            }
        }
    }

    #[test]
    fn details_stand_beside_a_list_from_120_columns_on() {
        assert!(beside(Rect::new(0, 0, 119, 20)).1.is_none());
        let (list, detail) = beside(Rect::new(0, 0, 120, 20));
        assert_eq!(list.width + detail.map_or(0, |detail| detail.width), 120);
    }
}
