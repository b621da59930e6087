//! Drives one socket: reads, writes, waits, and closes it when its time has come.
//!
//! Reading and writing are two loops of one task, so that neither waits for the other. Invariants: everything
//! between them is bounded; when either ends, the socket is closed with a code and every operation with it.
//! Not here: what the protocol allows, which [`Machine`] decides.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use axum::{
    Error,
    extract::ws::{CloseFrame, Message},
};
use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::{
    select,
    time::{self, Instant},
};
use tokio_tungstenite::tungstenite::{self, error::ProtocolError};

use super::{
    Limits,
    close::Close,
    desk::{Desk, Next},
    message::{self, Dialect},
    protocol::{Action, Machine, Name},
    turns::Running,
};
use crate::{
    domain::Viewer,
    graphql::{Answer, Call, Code, Explain, Failure},
    http::{
        Admission, RequestId, State, auth,
        graphql::{
            prepare,
            stream::{self, End, Said},
        },
    },
    telemetry::metrics::Held,
};

/// How long a closed socket may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// Pings in a row that may stay without an answer.
const UNANSWERED: u32 = 2;

/// Whose socket it is.
pub(super) struct Session {
    pub(super) state: Arc<State>,
    /// In which words it talks.
    pub(super) dialect: Dialect,
    /// The handshake's request id: every operation on this socket has it.
    pub(super) id: RequestId,
    /// The handshake's own credential.
    pub(super) handshake: Option<Admission>,
    /// Whether operations shall say what they cost.
    pub(super) explain: Explain,
}

/// Serves a socket to its end.
pub(super) async fn serve<S>(mut socket: S, session: Session)
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin + Send,
{
    let began = Instant::now();
    let metrics = Arc::clone(&session.state.metrics);
    let _open = Held::raise(&metrics.sockets_open);
    let ends = OnceLock::new();
    let mut reader = Reader::new(&session, &ends);
    let desk = Desk::default();
    let close = {
        let (mut sink, mut stream) = (&mut socket).split();
        let machine = Mutex::new(Machine::new(session.dialect, session.state.config.socket.operations));
        // Unbiased on purpose: a subscription that never pauses would else keep its own `complete` from being read.
        select! {
            () = session.state.shutdown.cancelled() => Close::RESTARTING,
            close = write(&mut sink, &desk, &machine, &session, &ends) => close,
            close = reader.read(&mut stream, &desk, &machine) => close,
        }
    };
    let close = match desk.clear() {
        Some(cursor) => close.after(&cursor),
        None => close,
    };
    metrics.socket_closed(close.code);
    tracing::info!(
        target: "heliograph::socket",
        code = close.code,
        reason = &*close.reason,
        duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        request_id = session.id.as_str(),
        credential = reader.viewer.as_ref().map(Viewer::name),
    );
    say_goodbye(&mut socket, close).await;
}

/// Closes a socket politely: a close frame that is not read to the end gets lost with the connection.
pub(super) async fn say_goodbye<S>(socket: &mut S, close: Close)
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    let frame = CloseFrame { code: close.code, reason: close.reason.as_ref().into() };
    let polite = async {
        if close != Close::LEFT && close != Close::LOST {
            socket.send(Message::Close(Some(frame))).await.ok()?;
        }
        while socket.next().await?.is_ok() {}
        Some(())
    };
    // Whoever does not take its leave in time is left all the same.
    let _late = time::timeout(GOODBYE, polite).await;
}

struct Reader<'a> {
    session: &'a Session,
    limits: &'a Limits,
    /// When its credential ends, for the writing loop too.
    ends: &'a OnceLock<Instant>,
    viewer: Option<Viewer>,
    unanswered: u32,
}

impl<'a> Reader<'a> {
    fn new(session: &'a Session, ends: &'a OnceLock<Instant>) -> Self {
        Self { session, limits: &session.state.config.socket, ends, viewer: None, unanswered: 0 }
    }

    /// Reads until the socket is to be closed.
    async fn read<S>(&mut self, stream: &mut S, desk: &Desk, machine: &Mutex<Machine>) -> Close
    where
        S: Stream<Item = Result<Message, Error>> + Unpin,
    {
        let deadline = time::sleep(self.limits.init_timeout);
        tokio::pin!(deadline);
        let first_ping = Instant::now() + self.limits.ping_every;
        let mut pings = time::interval_at(first_ping, self.limits.ping_every);
        loop {
            let incoming = select! {
                biased;
                // First, so that nothing begins for a credential that has ended.
                () = &mut deadline => return self.out_of_time(),
                incoming = stream.next() => incoming,
                _ = pings.tick() => match self.ping(desk).await {
                    Ok(()) => continue,
                    Err(close) => return close,
                },
            };
            let was_open = self.viewer.is_some();
            // What comes may have to wait, for the issuer's keys or for a reader: no longer than there is time.
            let received = select! {
                biased;
                () = &mut deadline => return self.out_of_time(),
                // Apart from the task, whose memory an idle socket would keep for it.
                received = Box::pin(self.receive(incoming, desk, machine)) => received,
            };
            if let Err(close) = received {
                return close;
            }
            if let Some(ends) = self.ends.get().filter(|_| !was_open) {
                deadline.as_mut().reset(*ends);
            }
        }
    }

    fn out_of_time(&self) -> Close {
        if self.viewer.is_some() { Close::CREDENTIAL_EXPIRED } else { Close::INIT_TIMEOUT }
    }

    async fn ping(&mut self, desk: &Desk) -> Result<(), Close> {
        if self.unanswered >= UNANSWERED {
            return Err(Close::SILENT);
        }
        self.unanswered += 1;
        desk.reply(Message::Ping(Bytes::new())).await;
        Ok(())
    }

    async fn receive(
        &mut self,
        incoming: Option<Result<Message, Error>>,
        desk: &Desk,
        machine: &Mutex<Machine>,
    ) -> Result<(), Close> {
        let message = match incoming {
            Some(Ok(message)) => message,
            Some(Err(error)) if is_lost(&error) => return Err(Close::LOST),
            Some(Err(_library)) => return Err(Close::NOT_UNDERSTOOD),
            None => return Err(Close::LEFT),
        };
        self.unanswered = 0;
        let text = match message {
            Message::Text(text) if text.len() > self.session.state.config.body_bytes => {
                return Err(Close::TOO_LONG);
            }
            Message::Text(text) => text,
            Message::Binary(_) => return Err(Close::invalid("Invalid message: only text is read")),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(Close::LEFT),
        };
        let mut action = lock(machine).receive(&text);
        if let Action::Admit(payload) = action {
            let admission = self.authenticate(payload.as_deref()).await;
            action = lock(machine).admit(admission.is_some());
            if let Some(admission) = admission {
                // There is one admission: a second `connection_init` closes the socket.
                let ends = *self.ends.get_or_init(|| admission.ends(self.limits.life));
                self.viewer = Some(admission.viewer);
                if ends <= Instant::now() {
                    return Err(Close::CREDENTIAL_EXPIRED);
                }
            }
        }
        match action {
            Action::Wait | Action::Admit(_) => {}
            Action::Send(text) => desk.reply(Message::Text(text.into())).await,
            Action::Stop(serial) => desk.end(serial),
            Action::Close(close) => return Err(close),
            Action::Start(name, call) => match &self.viewer {
                Some(viewer) => self.begin(name, call, viewer.clone(), desk, machine).await,
                None => return Err(Close::UNAUTHORIZED),
            },
        }
        Ok(())
    }

    /// The credential in the payload counts; without one, that of the handshake.
    async fn authenticate(&self, payload: Option<&serde_json::value::RawValue>) -> Option<Admission> {
        match payload.and_then(message::authorization) {
            Some(shown) => {
                let bearer = auth::bearer(shown.as_bytes())?;
                self.session.state.credentials.authenticate(bearer).await
            }
            None => self.session.handshake.clone(),
        }
    }

    /// Begins an operation: when this returns, one that listens misses nothing.
    async fn begin(&self, name: Name, mut call: Call, viewer: Viewer, desk: &Desk, machine: &Mutex<Machine>) {
        call.explain = self.session.explain;
        let (state, id) = (&self.session.state, &self.session.id);
        let prepared = panic::catch_unwind(AssertUnwindSafe(|| prepare(state, call, &viewer)));
        let prepared = prepared.unwrap_or_else(|_broke_off| {
            Err(Failure::new(Code::Internal, "something went wrong in the gateway").into())
        });
        match prepared {
            Ok(operation) => {
                let stream = stream::Stream::begin(state, id, viewer, operation, None).await;
                desk.begin(Running::new(name, stream));
            }
            Err(refused) => {
                lock(machine).finish(&name);
                let refused = Answer::refused(refused).named(id.as_str());
                let refused = message::error(self.session.dialect, &name.id, &refused);
                desk.reply(Message::Text(refused.into())).await;
            }
        }
    }
}

/// Writes until the socket is to be closed: replies first, then what operations say, in turn.
async fn write<S>(
    sink: &mut S,
    desk: &Desk,
    machine: &Mutex<Machine>,
    session: &Session,
    ends: &OnceLock<Instant>,
) -> Close
where
    S: Sink<Message, Error = Error> + Unpin,
{
    let write_timeout = session.state.config.socket.write_timeout;
    loop {
        let message = match desk.next().await {
            Next::Reply(message) => message,
            Next::Said(name, said) => match ends.get() {
                // Checked here too: an operation that never pauses would be heard until the reading loop has its turn.
                Some(ends) if *ends <= Instant::now() => {
                    desk.unsay(name.serial);
                    return Close::CREDENTIAL_EXPIRED;
                }
                _ => match wanted(session.dialect, &name, &said, machine) {
                    Some(text) => Message::Text(text.into()),
                    None => continue,
                },
            },
        };
        match time::timeout(write_timeout, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_gone)) => return Close::LOST,
            Err(_elapsed) => return Close::TOO_SLOW,
        }
    }
}

/// What is to be written of what was said. An id is free again before the client reads that its operation ended.
fn wanted(dialect: Dialect, name: &Name, said: &Said, machine: &Mutex<Machine>) -> Option<String> {
    match said {
        Said::Answer(frame) => {
            let wanted = lock(machine).is_running(name);
            wanted.then(|| message::next(dialect, &name.id, frame))
        }
        Said::End(end) => {
            let wanted = lock(machine).finish(name);
            wanted.then(|| match end {
                End::Refused(answer) => message::error(dialect, &name.id, answer),
                End::Completed | End::Expired | End::Restarting => message::complete(&name.id),
            })
        }
        // The socket gives signs of life by itself.
        Said::Silence => None,
    }
}

/// Whether it is the connection that failed, and not what came over it.
fn is_lost(error: &Error) -> bool {
    let library = std::error::Error::source(error).and_then(|it| it.downcast_ref::<tungstenite::Error>());
    matches!(
        library,
        Some(
            tungstenite::Error::Io(_)
                | tungstenite::Error::ConnectionClosed
                | tungstenite::Error::AlreadyClosed
                | tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        )
    )
}

fn lock(machine: &Mutex<Machine>) -> MutexGuard<'_, Machine> {
    machine.lock().unwrap_or_else(PoisonError::into_inner)
}
