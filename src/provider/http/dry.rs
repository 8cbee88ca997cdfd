//! A request as it would be sent, for people to compare with the provider's documents: nothing leaves.
//!
//! In: a model, an action, settings. Out: method, address, headers, body. Never: a request, a key.

use serde_json::{Value, json};

use super::protocol::{Call, Files, PicturesAs};
use super::request::{Order, unfilled, values};
use super::{HttpProvider, trace};
use crate::provider::Shot;
use crate::types::{Action, Failure, FailureClass, REDACTED};

/// A request that is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DryRun {
    /// `POST https://api.example.com/v1/pictures`.
    pub line: String,
    /// Name and value; the key is left out.
    pub headers: Vec<(String, String)>,
    /// The body: JSON, or the fields of a form.
    pub body: DryBody,
}

/// The body of a request that is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DryBody {
    /// None.
    Nothing,
    /// JSON.
    Json(Value),
    /// Fields of a form with their texts; of files what they are.
    Form(Vec<(String, String)>),
}

impl HttpProvider {
    /// Returns the submit of a shot as it would be sent; its pictures stand there by what they are.
    ///
    /// # Errors
    /// What the manifest lacks for it.
    pub fn dry(&self, shot: &Shot) -> Result<DryRun, Failure> {
        let action = shot.paid.action;
        let call = self.protocol.submit_by_action.get(&action).unwrap_or(&self.protocol.submit);
        let wire = self.wire(shot)?;
        let template = self.protocol.parameters.get(&*wire);
        let mut values = values(shot, &wire);
        if action != Action::Generate {
            for slot in ["image", "pictures", "references", "mask"] {
                let is_taken = slot != "mask" || action == Action::Inpaint;
                if is_taken && call.request.form.is_empty() && slot != "references" {
                    let one = self.stand_in(if slot == "mask" { "mask" } else { "source" });
                    values.insert(slot, if slot == "pictures" { json!([one]) } else { json!(one) });
                }
            }
        }
        let parameters = template.map(|template| template.fill(&values, &self.protocol.words)).transpose().map_err(unfilled)?.flatten();
        let order = Order { call: Call::Submit, request: &call.request, values: values.clone(), parameters: parameters.clone(), address: None };
        let built = self
            .prepared(&self.clients.paid, &order, Vec::new())?
            .build()
            .map_err(|error| Failure::new(FailureClass::Invalid, "manifest", format!("no request can be made: {}", error.without_url())))?;
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in built.headers().iter().filter(|(name, _)| *name != "content-type" || call.request.form.is_empty()) {
            let text = if value.is_sensitive() { REDACTED.to_owned() } else { String::from_utf8_lossy(value.as_bytes()).into_owned() };
            headers.push((name.to_string(), text));
        }
        let body = match (&call.request.json, call.request.form.is_empty()) {
            (Some(_), _) => DryBody::Json(
                built.body().and_then(|body| body.as_bytes()).and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or(Value::Null),
            ),
            (None, true) => DryBody::Nothing,
            (None, false) => DryBody::Form(self.fields(call, &order, action)?),
        };
        Ok(DryRun { line: format!("{} {}", built.method(), trace::address(built.url())), headers, body })
    }

    /// Returns the fields of a form, in order.
    fn fields(&self, call: &super::protocol::SubmitCall, order: &Order<'_>, action: Action) -> Result<Vec<(String, String)>, Failure> {
        let mut values = order.values.clone();
        if let Some(parameters) = &order.parameters {
            values.insert("parameters", parameters.clone());
        }
        let mut fields = Vec::new();
        for part in &call.request.form {
            if let Some(template) = &part.text
                && let Some(text) = template.fill_text(&values, &self.protocol.words).map_err(unfilled)?
            {
                fields.push((part.name.clone(), text));
            }
            let file = match part.files {
                Some(Files::Pictures | Files::Image | Files::Picture) if action != Action::Generate => Some("[file: the source picture]"),
                Some(Files::Mask) if action == Action::Inpaint => Some("[file: the mask]"),
                _ => None,
            };
            fields.extend(file.map(|file| (part.name.clone(), file.to_owned())));
        }
        Ok(fields)
    }

    fn stand_in(&self, what: &str) -> String {
        match self.protocol.pictures {
            PicturesAs::Upload => format!("[the address that the upload of the {what} brings]"),
            PicturesAs::DataUrl => format!("[the {what} as a data address]"),
            PicturesAs::Base64 => format!("[the {what} in base64]"),
        }
    }
}
