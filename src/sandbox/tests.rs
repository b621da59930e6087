//! The sandbox from outside, over real HTTP.
