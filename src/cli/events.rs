//! `heliograph events`: what was announced, written out for people, or told again.
//!
//! Both work on the store beside a gateway that runs. Lines of JSON go to standard output or a file, all that is said
//! about them to standard error.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    path::Path,
};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::{
    app,
    cli::{Events, ExportEvents, ReplayEvents},
    clock::Clock,
    config::Config,
    domain::{Event, Seq, TenantId, event::Source},
    journal::{Again, Archive, Cursors, archive::MOST_AT_ONCE},
};

/// Writes out, or has told again.
pub(super) fn run(command: &Events) -> anyhow::Result<()> {
    match command {
        Events::Export(args) => export(args),
        Events::Replay(args) => replay(args),
    }
}

fn export(args: &ExportEvents) -> anyhow::Result<()> {
    let config = Config::from_process(args.config.path.as_deref())?;
    let (archive, cursors) = app::archive(&config)?;
    let tenant = args.tenant.as_deref().map(tenant).transpose()?;
    let from = match &args.from {
        Some(cursor) => Some(place(&archive, &cursors, tenant.as_ref(), cursor)?.1),
        None => None,
    };
    let mut out: Box<dyn Write> = match &args.to {
        Some(path) => Box::new(BufWriter::new(private(path)?)),
        None => Box::new(BufWriter::new(io::stdout().lock())),
    };
    match write_all(&archive, &cursors, tenant.as_ref(), from, &mut out) {
        // Whoever reads wanted no more: `… | head`.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        written => {
            let (events, unreadable) = written?;
            say(&format!("exported {events} events"));
            if unreadable > 0 {
                bail!("{unreadable} events cannot be read: the store is damaged (docs/disk-trouble.md)");
            }
            Ok(())
        }
    }
}

fn write_all(
    archive: &Archive,
    cursors: &Cursors,
    tenant: Option<&TenantId>,
    mut from: Option<Seq>,
    out: &mut dyn Write,
) -> anyhow::Result<(usize, usize)> {
    let (mut events, mut unreadable) = (0, 0);
    loop {
        let page = archive.page(tenant, from)?;
        for event in &page.events {
            writeln!(out, "{}", line(cursors, event))?;
        }
        events += page.events.len();
        unreadable += page.unreadable;
        match page.next {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    out.flush()?;
    Ok((events, unreadable))
}

fn line(cursors: &Cursors, event: &Event) -> Value {
    let delivery = &event.delivery;
    let parameters = delivery.parameters.iter().map(|(name, value)| json!({ "name": name, "value": value }));
    json!({
        "cursor": cursors.seal(&event.tenant, event.seq),
        "event": delivery.name,
        "tenantId": event.tenant.as_str(),
        "projectId": event.project.as_ref().map(|it| it.as_str()),
        "designId": delivery.design.as_ref().map(|it| it.as_str()),
        "jobId": delivery.job.as_ref().map(|it| it.as_str()),
        "status": delivery.status,
        "receivedAt": delivery.received_at.to_string(),
        "source": match delivery.source {
            Source::Webhook => "WEBHOOK",
            Source::Reconciled => "RECONCILED",
        },
        "replayOf": event.replay_of.map(|it| cursors.seal(&event.tenant, it)),
        "parameters": parameters.collect::<Vec<_>>(),
    })
}

fn replay(args: &ReplayEvents) -> anyhow::Result<()> {
    let config = Config::from_process(args.config.path.as_deref())?;
    let (mut archive, cursors) = app::archive(&config)?;
    let tenant = tenant(&args.tenant)?;
    let (_, from) = place(&archive, &cursors, Some(&tenant), &args.from)?;
    let limit = args.limit.min(MOST_AT_ONCE);
    let again = if args.dry_run {
        archive.would_tell_again(&tenant, from, limit)?
    } else {
        archive.tell_again(&tenant, from, limit, Clock::system().now())?
    };
    tell(&again, &tenant, args.dry_run);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn tell(again: &Again, tenant: &TenantId, dry_run: bool) {
    let verb = if dry_run { "would be announced again" } else { "wait to be announced again" };
    println!("{} events of {tenant} {verb}", again.total());
    for (name, count) in &again.by_name {
        println!("  {count}  {name}");
    }
    if let Some((first, last)) = again.received {
        println!("  received from {first} to {last}");
    }
    if again.waiting > 0 {
        println!("  {} more wait already", again.waiting);
    }
    if again.unreadable > 0 {
        println!(
            "  {} cannot be read and are left out: the store is damaged (docs/disk-trouble.md)",
            again.unreadable
        );
    }
    if !dry_run && again.total() > 0 {
        println!("a running gateway announces them at once, any other when it starts");
    }
}

fn tenant(text: &str) -> anyhow::Result<TenantId> {
    TenantId::parse(text).map_err(|why| anyhow::anyhow!("--tenant {why}"))
}

/// Whose place a cursor refers to, and which: each is sealed for one tenant.
fn place(
    archive: &Archive,
    cursors: &Cursors,
    tenant: Option<&TenantId>,
    cursor: &str,
) -> anyhow::Result<(TenantId, Seq)> {
    let tenants = match tenant {
        Some(tenant) => vec![tenant.clone()],
        None => archive.tenants()?,
    };
    let open = |tenant: TenantId| cursors.open(&tenant, cursor).ok().map(|seq| (tenant, seq));
    let found = tenants.into_iter().find_map(open);
    found.with_context(|| match tenant {
        Some(tenant) => format!("--from is no cursor of {tenant} in this store"),
        None => "--from is no cursor of any tenant in this store".to_owned(),
    })
}

/// A new file that only its owner reads: it holds ids.
fn private(path: &Path) -> anyhow::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).with_context(|| format!("the file {} cannot be made", path.display()))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|it| it.kind() == io::ErrorKind::BrokenPipe)
}

#[expect(clippy::print_stderr, reason = "standard output may be the events themselves")]
fn say(text: &str) {
    eprintln!("{text}");
}
