//! GraphQL over WebSocket: the subprotocol `graphql-transport-ws`, and its predecessor `graphql-ws` for old clients.
//!
//! [`protocol`] decides, [`driver`] acts, [`message`] knows the words, [`desk`] is between reading and writing, where
//! [`turns`] lets operations speak in turn, and [`close`] is the list of codes. Invariants: no operation runs before the caller showed a credential; whatever a
//! socket does, it costs no more than its [`Limits`]; a slow reader loses its own socket and nothing else.
//! Not here: what an operation answers.

pub mod close;
mod desk;
mod driver;
mod message;
mod protocol;
mod turns;

use std::time::Duration;

use axum::{
    extract::{FromRequestParts, WebSocketUpgrade},
    response::Response,
};
use http::{HeaderMap, header::SEC_WEBSOCKET_PROTOCOL};

use self::{close::Close, driver::Session, message::Dialect};
use super::{
    edge::Exchange,
    graphql::{
        explains,
        reply::{self, Media, Refusal},
    },
    origin::Page,
    server::Seat,
};

/// Bytes of the buffer that a socket reads into. It is cleared on every look, so a large one costs time, and every
/// open socket has one, so it costs memory too. A usual `subscribe` fits; a longer message takes several reads.
const READ_BUFFER: usize = 512;

/// What one WebSocket may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Operations that run at once. More are refused one by one, with `RATE_LIMITED`.
    pub operations: usize,
    /// Answers of a stream over HTTP that wait for their reader. An operation with more waits itself.
    pub backlog: usize,
    /// How long a caller may take to show its credential.
    pub init_timeout: Duration,
    /// How often a silent caller is asked whether it is there. Two questions without an answer close the socket.
    pub ping_every: Duration,
    /// How long one answer may take to be written. A slower reader is closed and can resume.
    pub write_timeout: Duration,
    /// How long a credential counts after it was shown. Then the caller connects anew and shows it again.
    pub life: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 100,
            backlog: 16,
            init_timeout: Duration::from_secs(10),
            ping_every: Duration::from_secs(20),
            write_timeout: Duration::from_secs(8),
            life: Duration::from_secs(12 * 60 * 60),
        }
    }
}

/// Answers a handshake.
pub(super) async fn open(exchange: Exchange, page: Page) -> Response {
    match upgrade(exchange, page).await {
        Ok(response) => response,
        Err(refusal) => reply::refuse(Media::Json, refusal),
    }
}

async fn upgrade(exchange: Exchange, page: Page) -> Result<Response, Refusal> {
    let Exchange { state, id, request } = exchange;
    if page == Page::Foreign {
        return Err(Refusal::foreign_page());
    }
    let dialect = dialect(request.headers());
    let (mut parts, _body) = request.into_parts();
    // The socket keeps its connection's seat, so that it counts as a connection until it is closed.
    let seat = parts.extensions.remove::<Seat>();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &())
        .await
        .map_err(|_library| Refusal::handshake())?;
    // Browsers show a page the code of a close, and nothing of a handshake that was refused.
    let Some(dialect) = dialect else {
        state.metrics.socket_closed(Close::NO_SUBPROTOCOL.code);
        return Ok(upgrade.on_upgrade(|mut socket| async move {
            driver::say_goodbye(&mut socket, Close::NO_SUBPROTOCOL).await;
            drop(seat);
        }));
    };
    let session = Session {
        handshake: state.credentials.authenticate_headers(&parts.headers).await,
        explain: explains(&parts.headers),
        dialect,
        state,
        id,
    };
    let limit = session.state.config.body_bytes;
    Ok(upgrade
        .protocols([dialect.subprotocol()])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        // Messages up to twice the limit are read, so that they can be refused in words.
        .max_message_size(limit.saturating_mul(2))
        .max_frame_size(limit.saturating_mul(2))
        .on_upgrade(move |socket| async move {
            driver::serve(socket, session).await;
            drop(seat);
        }))
}

/// The dialect that was offered; of both, the current one.
fn dialect(headers: &HeaderMap) -> Option<Dialect> {
    let offers = |dialect: &Dialect| {
        let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|it| it.to_str().ok());
        values.flat_map(|it| it.split(',')).any(|it| it.trim() == dialect.subprotocol())
    };
    [Dialect::Current, Dialect::Old].into_iter().find(offers)
}
