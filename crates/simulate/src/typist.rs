//! A generator of typing.
