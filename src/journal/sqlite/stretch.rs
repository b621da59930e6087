//! Reading the events of several tenants in their one order, and those among them that cannot be read.

use rusqlite::{Connection, params_from_iter, types::Value};

use super::{
    super::Stretch,
    forget,
    read::{self, EVENT},
    row,
};
use crate::domain::{Seq, viewer::Tenants};

pub(super) fn stretch(
    connection: &Connection,
    of: &Tenants,
    after: Seq,
    limit: usize,
) -> rusqlite::Result<(Stretch, Vec<(Seq, rusqlite::Error)>)> {
    let (condition, mut values) = condition(of);
    values.push(Value::Integer(row::number(after)));
    let sql = format!(
        "SELECT {EVENT} FROM events e JOIN deliveries d ON d.seq = e.delivery
         WHERE {condition} AND e.seq > ? ORDER BY e.seq"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let (mut events, mut unreadable) = (Vec::new(), Vec::new());
    while events.len() < limit
        && let Some(row) = rows.next()?
    {
        match read::tenant_of(row).and_then(|tenant| read::event(row, &tenant)) {
            // Found by an index that says something else than the row.
            Ok(event) if !of.include(&event.tenant) => {
                unreadable.push((read::delivery_of(row)?, row::damaged(1)));
            }
            Ok(event) => events.push(event),
            // One that cannot be read must not keep those behind it from being sent.
            Err(error) => unreadable.push((read::delivery_of(row)?, error)),
        }
    }
    // What is gone behind the last of a full page is told with a later one, and once.
    let last = events.last().filter(|_| events.len() == limit).map_or(Seq(u64::MAX), |it| it.seq);
    let gone = last_gone(connection, of, after, last)?;
    Ok((Stretch { events, gone }, unreadable))
}

/// The last place behind `after`, up to `through`, of which it is known that an event of any of them is gone from it.
fn last_gone(
    connection: &Connection,
    of: &Tenants,
    after: Seq,
    through: Seq,
) -> rusqlite::Result<Option<Seq>> {
    match of {
        Tenants::All => {
            let places = [row::number(after), row::number(through)];
            let last: Option<i64> = connection
                .prepare_cached("SELECT max(seq) FROM pruned WHERE seq > ?1 AND seq <= ?2")?
                .query_row(places, |row| row.get(0))?;
            Ok(last.map(row::place))
        }
        Tenants::Only(these) => these.iter().try_fold(None, |last, tenant| {
            let floor = forget::floor(connection, tenant)?;
            Ok(last.max(Some(floor).filter(|it| *it > after && *it <= through)))
        }),
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
