//! The parameters of a query string, decoded within limits.

use super::parse::Reason;

/// Aurora's templates fill a few hundred bytes; proxies and logs start to object at this length.
pub(super) const MAX_QUERY_BYTES: usize = 8 * 1024;

/// The richest of Aurora's events has seven attributes; the rest is room for static parameters.
pub(super) const MAX_PARAMETERS: usize = 32;

/// Longer than any placeholder of Aurora's by half.
pub(super) const MAX_NAME_BYTES: usize = 64;

/// Ids have 36 bytes; `attributes` of a changed project lists names.
pub(super) const MAX_VALUE_BYTES: usize = 512;

/// A session token may be a signed document, which is longer than any other value.
pub(super) const MAX_TOKEN_BYTES: usize = 2 * 1024;

/// What a parameter is called when the session token is meant.
pub(super) const SESSION_TOKEN: &str = "session_token";

/// The parameters in their order, names in lower case, each name once.
pub(super) fn parameters(query: &str) -> Result<Vec<(String, String)>, Reason> {
    if query.len() > MAX_QUERY_BYTES {
        return Err(Reason::QueryTooLong);
    }
    let pairs: Vec<_> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    if pairs.len() > MAX_PARAMETERS {
        return Err(Reason::TooManyParameters);
    }
    let mut found: Vec<(String, String)> = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name).ok_or(Reason::Encoding)?.to_ascii_lowercase();
        let name = if is_session_token(&name) { SESSION_TOKEN.to_owned() } else { name };
        check_name(&name)?;
        let value = decode(value).ok_or(Reason::Encoding)?;
        let longest = if name == SESSION_TOKEN { MAX_TOKEN_BYTES } else { MAX_VALUE_BYTES };
        if value.len() > longest {
            return Err(Reason::TooLong(name));
        }
        if value.chars().any(char::is_control) {
            return Err(Reason::ControlCharacter(name));
        }
        match found.iter().find(|(known, _)| *known == name) {
            None => found.push((name, value)),
            Some((_, known)) if *known == value => {}
            Some(_) => return Err(Reason::Ambiguous(name)),
        }
    }
    Ok(found)
}

fn check_name(name: &str) -> Result<(), Reason> {
    let sane = !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control);
    if sane { Ok(()) } else { Err(Reason::Name) }
}

/// However a template spells it: the token must not be taken for an ordinary parameter, which would be kept.
fn is_session_token(name: &str) -> bool {
    name.bytes().filter(u8::is_ascii_alphanumeric).eq(b"sessiontoken".iter().copied())
        || name == "aurora_session_token"
}

/// Undoes form encoding, as browsers do: a `%` that stands before no two digits stands for itself. None unless the
/// result is UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        bytes.push(match (byte, escaped(behind)) {
            (b'+', _) => b' ',
            (b'%', Some(decoded)) => {
                rest = &behind[2..];
                decoded
            }
            (plain, _) => *plain,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The byte that two hexadecimal digits stand for.
fn escaped(digits: &[u8]) -> Option<u8> {
    let [high, low] = *digits.first_chunk()?;
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|it| u8::try_from(it).ok());
    Some(value(high)? << 4 | value(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn names_are_lowered_values_kept_and_equal_pairs_folded() {
        let found = parameters("A=x+y&&b=%C3%A9&a=x%20y&c&d==&").unwrap();
        assert_eq!(found, pairs(&[("a", "x y"), ("b", "é"), ("c", ""), ("d", "=")]));
    }

    #[test]
    fn a_stray_percent_sign_stands_for_itself_and_broken_utf8_is_refused() {
        assert_eq!(
            parameters("a=50%&b=%4&c=%zz").unwrap(),
            pairs(&[("a", "50%"), ("b", "%4"), ("c", "%zz")])
        );
        assert_eq!(parameters("a=%ff"), Err(Reason::Encoding));
    }

    #[test]
    fn every_spelling_of_the_session_token_is_the_session_token() {
        for name in
            ["session_token", "SESSION_TOKEN", "sessionToken", "session-token", "aurora_session_token"]
        {
            assert_eq!(parameters(&format!("{name}=s")).unwrap(), pairs(&[("session_token", "s")]), "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(values in proptest::collection::vec("\\PC{0,30}", 0..9)) {
            let mut encoder = url::form_urlencoded::Serializer::new(String::new());
            let names: Vec<_> = (0..values.len()).map(|at| format!("p{at}")).collect();
            for (name, value) in names.iter().zip(&values) {
                encoder.append_pair(name, value);
            }
            let found = parameters(&encoder.finish()).unwrap();
            prop_assert_eq!(found, names.into_iter().zip(values).collect::<Vec<_>>());
        }
    }
}
