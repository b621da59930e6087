//! Reading the events of several tenants in their one order.

use rusqlite::{Connection, params_from_iter, types::Value};

use super::{super::Stretch, forget, read, row};
use crate::domain::{Seq, TenantId, viewer::Tenants};

pub(super) fn stretch(
    connection: &Connection,
    of: &Tenants,
    after: Seq,
    limit: usize,
) -> rusqlite::Result<Stretch> {
    let gone = floor(connection, of)? > after;
    let (columns, event) = (row::DELIVERY, read::EVENT);
    let (condition, mut values) = condition(of);
    values.push(Value::Integer(row::number(after)));
    values.push(Value::Integer(row::count(limit)));
    let events = connection
        .prepare_cached(&format!(
            "SELECT {columns}, {event} FROM events e JOIN deliveries d ON d.seq = e.delivery
             WHERE {condition} AND e.seq > ? ORDER BY e.seq LIMIT ?"
        ))?
        .query_map(params_from_iter(values), |row| {
            // An event is announced only once its tenant is known, and has the tenant of its delivery.
            let tenant = row::id(row, 1, TenantId::parse)?.ok_or(rusqlite::Error::InvalidQuery)?;
            read::event(row, &tenant)
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(Stretch { events, gone })
}

/// The last place from which an event of any of them is gone.
fn floor(connection: &Connection, of: &Tenants) -> rusqlite::Result<Seq> {
    match of {
        Tenants::All => {
            let last: Option<i64> =
                connection.prepare_cached("SELECT max(seq) FROM pruned")?.query_row([], |row| row.get(0))?;
            Ok(last.map(row::place).unwrap_or_default())
        }
        Tenants::Only(these) => these
            .iter()
            .try_fold(Seq::default(), |floor, tenant| Ok(floor.max(forget::floor(connection, tenant)?))),
    }
}

fn condition(of: &Tenants) -> (String, Vec<Value>) {
    match of {
        Tenants::All => ("1".to_owned(), Vec::new()),
        Tenants::Only(these) => {
            let marks = vec!["?"; these.len()].join(", ");
            let values = these.iter().map(|tenant| Value::Text(tenant.to_string())).collect();
            (format!("e.tenant IN ({marks})"), values)
        }
    }
}
