//! A whole listener on a clock that stands still until everybody waits.

mod age;
mod edge;
mod exhausted;
mod frames;
mod noise;
mod operators;
mod scarce;
mod silent;
mod stopping;
mod unread;
