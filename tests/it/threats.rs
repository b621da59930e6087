//! What somebody could try who wishes harm, each with the figure that has to come out.
//!
//! Every test first shows that what is allowed works, so that a gateway that refuses everything does not pass. Other
//! threats have their tests beside what they threaten: tokens in `tokens`, webhooks in `webhook`, frames and single
//! connections in the library's own tests.

mod abuse;
mod connections;
mod origins;
mod paths;
mod secrets;
mod tenants;
