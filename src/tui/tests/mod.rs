//! Tests of the whole face on a fixed store: keys go in, screens come out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod checklist;
mod keys;
mod layers;
mod live;
mod marks;
mod overview;
mod rows;
mod screens;
mod screenshots;
mod shop;
mod snippets;
mod stage;
mod svg;
mod writes;
