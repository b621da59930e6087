//! Requests that two readers could take for different ones: whoever stands before the gateway must not be fooled.

use super::{
    connections::{connect, until_closed},
    world::{KEY, World, eventually},
};
use std::sync::atomic::Ordering::SeqCst;

/// A mutation that would be seen if it ran.
fn smuggled() -> String {
    let body = r#"{"query":"mutation { increment }"}"#;
    format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: {KEY}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn post(framing: &str, body: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: {KEY}\r\ncontent-type: application/json\r\n\
         {framing}\r\n\r\n{body}"
    )
}

fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

const QUERY: &str = r#"{"query":"{ name }"}"#;

#[tokio::test]
async fn two_requests_with_one_length_each_are_two_requests() {
    let world = World::start().await;
    let both = [post(&format!("content-length: {}", QUERY.len()), QUERY), smuggled()].concat();
    let chunks = [post("transfer-encoding: chunked", &chunked(QUERY)), smuggled()].concat();
    for sound in [both, chunks] {
        let _open = connect(&world, sound.as_bytes()).await;
        eventually("both ran", || world.script.increments.swap(0, SeqCst) == 1).await;
    }
}

#[tokio::test]
async fn two_lengths_are_no_request() {
    let world = World::start().await;
    for odd in [
        "content-length: 20\r\ncontent-length: 21",
        "content-length: 20, 21",
        "content-length: +20",
        "content-length: -1",
        "content-length: 0x14",
        "content-length: 20 20",
        "content-length: 99999999999999999999",
        "transfer-encoding: identity",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: xchunked",
        "transfer-encoding : chunked",
        "content-length : 20",
    ] {
        let said = until_closed(connect(&world, (post(odd, QUERY) + &smuggled()).as_bytes()).await).await.0;
        assert!(said.starts_with("HTTP/1.1 400") && said.matches("HTTP/1.1 ").count() == 1, "{odd}: {said}");
    }
    assert_eq!(world.script.increments.load(SeqCst), 0);
}

/// The chunks count, as RFC 9112 has it, and nothing behind them is believed.
#[tokio::test]
async fn behind_a_length_beside_chunks_nothing_is_read() {
    let world = World::start().await;
    let whole = chunked(QUERY) + &smuggled();
    for length in [0, 4, QUERY.len(), chunked(QUERY).len(), whole.len()] {
        let length = format!("content-length: {length}");
        for framing in [
            format!("{length}\r\ntransfer-encoding: chunked"),
            format!("transfer-encoding: chunked\r\n{length}"),
        ] {
            let said = until_closed(connect(&world, post(&framing, &whole).as_bytes()).await).await.0;
            assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{framing}: {said}");
            assert!(
                said.contains(r#""name":"crm""#) || said.starts_with("HTTP/1.1 400"),
                "{framing}: {said}"
            );
        }
    }
    assert_eq!(world.script.increments.load(SeqCst), 0, "a smuggled request ran");
}

#[tokio::test]
async fn chunks_that_are_none_end_their_connection() {
    let world = World::start().await;
    for odd in ["-1\r\n", "g\r\n{", "ffffffffffffffffff\r\n{", "14\r\n{\"query\":\"{ name }\"}x\r\n0\r\n\r\n"]
    {
        let request = post("transfer-encoding: chunked", odd) + &smuggled();
        let said = until_closed(connect(&world, request.as_bytes()).await).await.0;
        assert!(said.matches("HTTP/1.1 ").count() <= 1 && !said.contains("HTTP/1.1 200"), "{odd:?}: {said}");
    }
    assert_eq!(world.script.increments.load(SeqCst), 0);
    assert_eq!(world.query("{ name }").await.json()["data"]["name"], "crm");
}
