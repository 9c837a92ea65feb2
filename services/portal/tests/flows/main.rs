//! The portal's HTTP API before a real keyward, with a software authenticator in the place of the browser's.

mod browser;
mod charts;
mod console;
mod edge;
mod rights;
mod sessions;
mod signing_in;
