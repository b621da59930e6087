//! The pages that the binary brings along. `make web` must have built them.

use crate::world::World;

#[tokio::test]
async fn an_asset_comes_as_it_was_compressed_once_and_plain_to_who_asks_for_it() {
    let world = World::start().await;
    let http = reqwest::Client::builder().no_gzip().no_brotli().build().unwrap();
    let page = http.get(world.url("/")).send().await.unwrap().text().await.unwrap();
    let at = page.find("/assets/").expect("the page names its script: build the pages first");
    let asset = world.url(page[at..].split('"').next().unwrap());

    let plain = http.get(&asset).header("accept-encoding", "identity").send().await.unwrap();
    assert!(plain.headers().get("content-encoding").is_none());
    let small = http.get(&asset).header("accept-encoding", "gzip, br").send().await.unwrap();
    assert_eq!(small.headers()["content-encoding"], "gzip");
    assert_eq!(small.headers()["content-type"], plain.headers()["content-type"]);
    assert_eq!(small.headers()["vary"], "accept-encoding");
    assert!(small.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    let (small, plain) = (small.bytes().await.unwrap(), plain.bytes().await.unwrap());
    assert!(
        small.len() < plain.len() && small.starts_with(&[0x1f, 0x8b]),
        "{} of {}",
        small.len(),
        plain.len()
    );
}
