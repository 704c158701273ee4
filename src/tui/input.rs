//! From the terminal's events to messages.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::model::key::{Code, Key};
use super::model::mouse::{Gesture, Mouse};
use super::msg::Msg;

/// The message an event means, if it means any.
pub(super) fn message(event: Event) -> Option<Msg> {
    match event {
        // A release would do everything twice where terminals report it.
        Event::Key(event) if event.kind != KeyEventKind::Release => key(event).map(Msg::Key),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(columns, rows) => Some(Msg::Resize(columns, rows)),
        Event::FocusGained => Some(Msg::FocusGained),
        Event::Mouse(event) => mouse(event).map(Msg::Mouse),
        Event::Key(_) | Event::FocusLost => None,
    }
}

fn mouse(event: MouseEvent) -> Option<Mouse> {
    let gesture = match event.kind {
        MouseEventKind::Down(MouseButton::Left) => Gesture::Click,
        MouseEventKind::Down(MouseButton::Right) => Gesture::Menu,
        MouseEventKind::ScrollDown => Gesture::WheelDown,
        MouseEventKind::ScrollUp => Gesture::WheelUp,
        _ => return None,
    };
    Some(Mouse { gesture, column: event.column, row: event.row })
}

fn key(event: KeyEvent) -> Option<Key> {
    let code = match event.code {
        KeyCode::Char(character) => Code::Char(character),
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Escape,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => Code::BackTab,
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        KeyCode::F(number) => Code::Function(number),
        _ => return None,
    };
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    let alt = event.modifiers.contains(KeyModifiers::ALT);
    Some(Key { code, control, alt })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_and_a_moved_mouse_mean_nothing() {
        let press = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert!(matches!(message(Event::Key(press)), Some(Msg::Key(Key { code: Code::Char('c'), control: true, alt: false }))));
        let release = KeyEvent { kind: KeyEventKind::Release, ..press };
        assert!(message(Event::Key(release)).is_none());
        assert!(message(Event::FocusLost).is_none());
        let moved = MouseEvent { kind: MouseEventKind::Moved, column: 1, row: 1, modifiers: KeyModifiers::NONE };
        assert!(message(Event::Mouse(moved)).is_none());
    }
}
