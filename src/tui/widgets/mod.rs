//! Pieces that several screens draw with. They know neither the model nor the store; they are given text and draw it.

pub(crate) mod hints;
pub(crate) mod input;
pub(crate) mod scrubber;
pub(crate) mod table;
pub(crate) mod text;
