//! Which calls a method and a path pattern mean.

/// Whether a call fits: `*` is any method, one segment; a closing `**` is any number of segments.
pub(in crate::sandbox) fn matches(methods: &str, pattern: &str, method: &str, path: &str) -> bool {
    (methods == "*" || methods.eq_ignore_ascii_case(method)) && fits(pattern, path)
}

fn fits(pattern: &str, path: &str) -> bool {
    let mut wanted = pattern.trim_matches('/').split('/');
    let mut given = path.trim_matches('/').split('/');
    loop {
        match (wanted.next(), given.next()) {
            (None, None) | (Some("**"), _) => return true,
            (Some(want), Some(have)) if want == "*" || want == have => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_segment_and_two_are_the_rest() {
        assert!(fits("/tenants/*/designs/d1", "/tenants/t1/designs/d1"));
        assert!(!fits("/tenants/*", "/tenants/t1/designs"));
        assert!(fits("/tenants/**", "/tenants/t1/designs"));
        assert!(!fits("/tenants/*/designs", "/tenants/t1"));
    }
}
