//! Keys that the gateway gets for tenants: how many exchanges they cost, what a restart costs, what a tenant that has
//! left costs, and what it takes to change a secret.

mod early;
mod herd;
mod kept;
mod refused;
mod rotated;
mod skew;

/// A read that always asks Aurora where nothing is in memory, and whose answer is no error while the tenant is connected.
const PROJECTS: &str = "{ projects { nodes { name } } }";

const MINUTE: std::time::Duration = std::time::Duration::from_secs(60);
const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
