//! When to stop, and when to look at the settings again: signals from outside.

use std::io;

use tokio_util::sync::CancellationToken;

/// A token that is cancelled when the process is asked to stop. A second request ends the process at once, for
/// whoever does not want to wait for the draining.
///
/// # Errors
/// When the system does not let the process listen for signals.
pub fn stop_on_signal() -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut signals = Signals::listen()?;
    let told = stop.clone();
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!("asked to stop; finishing what is under way");
        told.cancel();
        signals.next().await;
        tracing::warn!("asked to stop again; stopping at once");
        std::process::exit(1);
    });
    Ok(stop)
}

/// Calls `reload` whenever the process is hung up on (SIGHUP): by custom, the wish that a service reads its settings
/// again.
///
/// # Errors
/// When the system does not let the process listen for signals.
#[cfg(unix)]
pub fn reload_on_hangup(reload: impl Fn() + Send + 'static) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangups = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            reload();
        }
    });
    Ok(())
}

/// Elsewhere nobody can ask so.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on unix, where listening can fail")]
pub fn reload_on_hangup(_reload: impl Fn() + Send + 'static) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "as on unix, where listening can fail")]
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
