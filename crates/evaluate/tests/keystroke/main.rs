//! `keyward evaluate keystroke` on the data at hand; skipped without it.

mod benchmark;
mod command;
mod stream;
