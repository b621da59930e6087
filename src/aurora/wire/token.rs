//! `{"token": {"bearer_token": …, "expires_at": …}}`.

use jiff::Timestamp;
use secrecy::SecretString;

use super::{Unreadable, block::answer};

/// What an exchange gave.
pub(in crate::aurora) struct Token {
    pub(in crate::aurora) bearer_token: SecretString,
    /// None where Aurora does not say, or not readably.
    pub(in crate::aurora) expires_at: Option<Timestamp>,
}

/// Reads the key that an exchange gave.
pub(in crate::aurora) fn token(body: &[u8]) -> Result<Token, Unreadable> {
    let block = answer(body)?.wrapped("token")?;
    let bearer_token = block.text("bearer_token").filter(|it| !it.trim().is_empty());
    Ok(Token {
        bearer_token: bearer_token.map(SecretString::from).ok_or(Unreadable("it holds no key"))?,
        expires_at: block.time("expires_at"),
    })
}
