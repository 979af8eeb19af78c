//! The test that the documentation of `testing` shows, as a program would have it.

mod login;
