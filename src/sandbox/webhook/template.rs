//! URL templates and their `<PARAMETERS>`.

/// The names between `<` and `>`, in order.
pub(in crate::sandbox) fn names(template: &str) -> Vec<&str> {
    pieces(template).filter_map(|it| if let Piece::Name(name) = it { Some(name) } else { None }).collect()
}

/// The URL: each parameter replaced by its value, percent-encoded; one without a value is empty.
pub(in crate::sandbox) fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut url = String::with_capacity(template.len());
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => url.push_str(text),
            Piece::Name(name) => {
                if let Some((_, value)) = values.iter().find(|(known, _)| *known == name) {
                    url.push_str(&encoded(value));
                }
            }
        }
    }
    url
}

enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
}

fn pieces(template: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let bracketed = rest.strip_prefix('<').and_then(|it| it.split_once('>'));
        if let Some((name, after)) = bracketed.filter(|(name, _)| is_name(name)) {
            rest = after;
            return Some(Piece::Name(name));
        }
        // Up to the next `<` that is not the first letter.
        let end = rest.char_indices().skip(1).find(|(_, it)| *it == '<').map_or(rest.len(), |(at, _)| at);
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Text(text))
    })
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
}

/// Every byte but RFC 3986's unreserved ones as `%XX`; a space is `%20`, never `+`.
fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_replaced_encoded_and_empty_without_a_value() {
        let values = [("STATUS", "a b&c".to_owned()), ("DESIGN_ID", "d1".to_owned())];
        let url = fill("http://h/x?d=<DESIGN_ID>&s=<STATUS>&f=<FINANCING_ID>&k=1", &values);
        assert_eq!(url, "http://h/x?d=d1&s=a%20b%26c&f=&k=1");
    }

    #[test]
    fn names_are_found_and_other_brackets_left_alone() {
        assert_eq!(names("http://h/<A>?x=<B_C>"), ["A", "B_C"]);
        assert_eq!(fill("a<b c>d<", &[]), "a<b c>d<");
    }
}
