//! The terminal: taken over on entry, given back however this ends.
//!
//! Raw mode, alternate screen, bracketed paste, focus reports and the window title are set together and undone together by one function,
//! [`give_back`], which may be called any number of times and from anywhere: at the end, on an error, from the panic hook, before the
//! process stops for Ctrl-Z. A destructor alone would not do: a panic would print its message onto the alternate screen.
//!
//! A panic of a background job must not touch the screen that still works, so the hook acts only on a panic of the thread that is
//! just updating or drawing; a job's panic comes back as that job's failure.

use std::cell::Cell;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::Show;
use crossterm::event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange};
use crossterm::style::Print;
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal};

use super::clean::clean;
use crate::model::{Error, Result};

/// True while the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

thread_local! {
    /// True while this thread updates or draws: a panic now is a panic of the browser itself.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

/// Xterm's stack of window titles: ours goes on top, the shell's comes back. Terminals without it ignore both.
const PUSH_TITLE: &str = "\x1b[22;2t";
const POP_TITLE: &str = "\x1b[23;2t";
/// Presses and the wheel only: reports of every movement would wake an idle browser.
const TAKE_MOUSE: &str = "\x1b[?1000h\x1b[?1006h";
const LEAVE_MOUSE: &str = "\x1b[?1006l\x1b[?1000l";

/// The terminal while it is ours.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    title: String,
    /// Last, so that the terminal is given back after its buffer is flushed.
    _taken: Taken,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// `Usage` where there is no terminal that can be drawn on; then nothing was changed.
    pub(super) fn take(title: &str) -> Result<Self> {
        let refuse = |why: &str| {
            Error::usage("the browser needs a terminal").why(why).remedy("every answer is on the command line too: try `larder list`")
        };
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Err(refuse("input or output is not one"));
        }
        if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
            return Err(refuse("TERM is dumb"));
        }
        install_panic_hook();
        let title = clean(title).into_owned();
        let taken = Taken;
        occupy(&title).map_err(no_terminal)?;
        let terminal = Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, io::stdout()))).map_err(no_terminal)?;
        Ok(Self { terminal, title, _taken: taken })
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> (u16, u16) {
        self.terminal.size().map(|size| (size.width, size.height)).unwrap_or((80, 24))
    }

    /// Draws a frame as one update, so that nothing tears.
    pub(super) fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> Result<()> {
        let drawn = (|| {
            queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
            self.terminal.draw(view)?;
            execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
        })();
        drawn.map_err(no_terminal)
    }

    /// Makes the next frame draw every cell. Clearing would ask the terminal where its cursor is and wait for the answer; a resize to the
    /// same size clears without a question.
    pub(super) fn forget(&mut self) -> Result<()> {
        let (width, height) = self.size();
        self.terminal.resize(Rect::new(0, 0, width, height)).map_err(no_terminal)
    }

    /// Asks the terminal to put text into its clipboard. Nothing confirms it.
    pub(super) fn copy(&mut self, text: &str) -> Result<()> {
        execute!(self.terminal.backend_mut(), CopyToClipboard::to_clipboard_from(text)).map_err(no_terminal)
    }

    /// Takes the mouse, or leaves it to the terminal.
    pub(super) fn set_mouse(&mut self, taken: bool) -> Result<()> {
        execute!(self.terminal.backend_mut(), Print(if taken { TAKE_MOUSE } else { LEAVE_MOUSE })).map_err(no_terminal)
    }

    /// Takes the terminal back after it was given back for a while.
    pub(super) fn take_again(&mut self, mouse: bool) -> Result<()> {
        occupy(&self.title).map_err(no_terminal)?;
        self.set_mouse(mouse)?;
        self.forget()
    }
}

/// Gives the terminal back when it goes, also where taking it over failed half-way.
struct Taken;

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

fn occupy(title: &str) -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange, Print(PUSH_TITLE), SetTitle(title))
}

/// Gives the terminal back as it was. Idempotent; errors are ignored, since there is nobody left to tell.
pub(super) fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let _ = execute!(
        out,
        EndSynchronizedUpdate,
        DisableFocusChange,
        DisableBracketedPaste,
        Print(LEAVE_MOUSE),
        Print(POP_TITLE),
        LeaveAlternateScreen,
        Show
    );
    let _ = out.flush();
    let _ = disable_raw_mode();
}

/// Does a piece of the browser's own work; a panic in it gives the terminal back before it is reported.
pub(super) fn at_work<R>(work: impl FnOnce() -> R) -> R {
    AT_WORK.with(|flag| flag.set(true));
    let result = work();
    AT_WORK.with(|flag| flag.set(false));
    result
}

fn install_panic_hook() {
    HOOK.call_once(|| {
        let earlier = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if AT_WORK.with(Cell::get) {
                give_back();
            }
            // While the screen is ours, the message of a job's panic would be drawn across it.
            if !TAKEN.load(Ordering::SeqCst) {
                earlier(info);
            }
        }));
    });
}

fn no_terminal(error: io::Error) -> Error {
    Error::io("the terminal can't be drawn on", error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::io::Read;

    use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};

    use super::*;

    const CHILD: &str = "tui::term::tests::a_browser_with_a_bug";

    fn settings(master: &dyn MasterPty) -> String {
        format!("{:?}", master.get_termios())
    }

    /// Runs this test binary once more in a terminal of its own; returns what was written there and whether its settings are as before.
    fn in_a_terminal(test: &str) -> (Vec<u8>, bool) {
        let pair = native_pty_system().openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 }).unwrap();
        let before = settings(pair.master.as_ref());
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads", "1"]);
        command.env("TERM", "xterm-256color");
        // A long trace would push the message off the screen.
        command.env("RUST_BACKTRACE", "0");
        let mut child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let reading = std::thread::spawn(move || {
            let (mut written, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                written.extend_from_slice(&buffer[..count]);
            }
            written
        });
        assert!(!child.wait().unwrap().success());
        let is_as_before = settings(pair.master.as_ref()) == before;
        // With the last handle of its side the terminal ends, and with it the reading.
        drop(pair.slave);
        (reading.join().unwrap(), is_as_before)
    }

    #[test]
    fn a_panic_gives_the_terminal_back_and_is_told_where_it_can_be_read() {
        let (written, is_as_before) = in_a_terminal(CHILD);
        let mut terminal = vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 0);
        let taken = b"\x1b[?1049h";
        let at = written.windows(taken.len()).position(|bytes| bytes == taken).unwrap();
        terminal.process(&written[..at + taken.len()]);
        assert!(terminal.screen().alternate_screen(), "it was taken");
        terminal.process(&written[at + taken.len()..]);
        let screen = terminal.screen();
        assert!(screen.contents().contains("a bug in a view"), "{}", screen.contents());
        assert!(!screen.contents().contains("half a frame"), "{}", screen.contents());
        assert!(!screen.alternate_screen() && !screen.bracketed_paste() && !screen.hide_cursor());
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert!(is_as_before, "the terminal echoes again");
    }

    #[test]
    #[ignore = "panics; the test above runs it in a terminal of its own"]
    fn a_browser_with_a_bug() {
        let mut screen = Screen::take("larder").unwrap();
        screen.set_mouse(true).unwrap();
        screen.draw(|frame| frame.buffer_mut().set_string(0, 0, "half a frame", ratatui::style::Style::new())).unwrap();
        let _ = at_work(|| screen.draw(|_| panic!("a bug in a view")));
    }
}
