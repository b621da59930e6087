//! The sandbox from outside, over real HTTP.

mod control;
mod delivery;
mod design;
mod fault;
mod keys;
mod limit;
mod project;
mod support;
mod webhook;
