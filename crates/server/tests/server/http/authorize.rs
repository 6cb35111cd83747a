//! The authorization endpoint, with a browser that does what it is told and a login application that
//! decides over gRPC.

mod attacks;
mod back;
mod browser;
mod flow;
mod pages;
mod returning;
mod settings;
mod wishes;
