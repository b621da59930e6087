//! How Aurora answers: an object in its wrapper, or a refusal in one of two shapes.
//!
//! [`Refusal`] is what every part returns when it says no; the [`gate`](super::gate) alone writes
//! it down, since only there is it known which shape this sandbox speaks.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::config::ErrorShape;

/// What a handler gives back.
pub(super) type Answer = Result<Response, Refusal>;

/// One thing that is wrong, and with which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) field: String,
    pub(super) message: String,
}

impl Complaint {
    pub(super) fn new(field: &str, message: &str) -> Self {
        Self { field: field.to_owned(), message: message.to_owned() }
    }
}

/// A 4xx with its reasons.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    complaints: Vec<Complaint>,
    retry_after: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: &str) -> Self {
        Self { status, complaints: vec![Complaint::new("base", message)], retry_after: None }
    }

    /// Whatever is not there, and whatever is there for somebody else.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found")
    }

    pub(super) fn invalid(complaints: Vec<Complaint>) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, complaints, retry_after: None }
    }

    pub(super) fn malformed(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn with_retry_after(mut self, value: String) -> Self {
        self.retry_after = Some(value);
        self
    }

    /// The refusal as bytes, in the shape this sandbox speaks.
    pub(super) fn write(&self, shape: ErrorShape) -> Response {
        let body = match shape {
            ErrorShape::Errors => json!({ "errors": self.messages() }),
            ErrorShape::ByField => json!({ "error": self.by_field() }),
        };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(value) = self.retry_after.as_deref().and_then(|it| HeaderValue::from_str(it).ok()) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }

    /// The complaints as sentences.
    pub(super) fn reasons(&self) -> Vec<String> {
        let sentence = |it: &Complaint| match it.field.as_str() {
            "base" => it.message.clone(),
            field => format!("{field} {}", it.message),
        };
        self.complaints.iter().map(sentence).collect()
    }

    fn messages(&self) -> Vec<Value> {
        self.reasons().into_iter().map(|it| json!({ "message": it })).collect()
    }

    fn by_field(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        for it in &self.complaints {
            let slot = fields.entry(it.field.clone()).or_insert_with(|| json!([]));
            if let Some(messages) = slot.as_array_mut() {
                messages.push(json!(it.message));
            }
        }
        fields
    }
}

impl IntoResponse for Refusal {
    /// Travels inside an empty response; the gate writes the body.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// `{"<wrapper>": value}` with status 200, which Aurora uses for creates too.
pub(super) fn wrapped(wrapper: &str, value: Value) -> Response {
    Json(json!({ wrapper: value })).into_response()
}

/// A number the way Aurora writes it: whole ones without a fraction.
pub(super) fn number(value: f64) -> Value {
    // 2^53: up to here every whole f64 is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
        let whole = value as i64;
        return json!(whole);
    }
    json!(value)
}

/// Rounded to one tenth, the precision Aurora publishes.
pub(super) fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_written_in_both_shapes() {
        let refusal = Refusal::invalid(vec![Complaint::new("name", "must be a string")]);
        assert_eq!(refusal.messages(), [json!({"message": "name must be a string"})]);
        assert_eq!(Value::from(refusal.by_field()), json!({"name": ["must be a string"]}));
    }

    #[test]
    fn whole_numbers_have_no_fraction() {
        assert_eq!(number(6500.0).to_string(), "6500");
        assert_eq!(number(87.3).to_string(), "87.3");
    }
}
