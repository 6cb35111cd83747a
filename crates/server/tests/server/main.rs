//! The token service from outside: real sockets, a real store on disk, a clock that the test moves.

mod admin;
mod assertion;
mod authority;
mod authorization;
mod comes;
mod descriptors;
mod drain;
mod floods;
mod flow;
mod grants;
mod harness;
mod health;
mod introspection;
mod limits;
mod listing;
mod overload;
mod presentation;
mod proof;
mod reflection;
mod refresh;
mod reload;
mod silent;
mod start;
mod stop;
mod tls;
mod vectors;
