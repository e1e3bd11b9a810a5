//! `/v2/<name>/tags/list`: the tags of a repository, page by page.

use http::StatusCode;
use http::header::LINK;
use serde_json::json;
use wire::serve::raw::{RawBody, RawResponse};

use super::Request;
use super::answer::Answer;
use super::refusal::{Code, Refusal};
use crate::image;
use crate::names::is_tag;

/// The most tags of a page; it is the page that is answered when none is asked for, too. (API reference, ListImages.)
pub const TAGS_A_PAGE_MAX: usize = 1000;

/// Lists tags in lexical order.
pub(super) async fn list(request: &Request<'_>, name: &str) -> Result<RawResponse, Refusal> {
    let repository = request.admit(name, &["ecr:ListImages"]).await?;
    let limit = match request.parameter("n").filter(|text| !text.is_empty()) {
        Some(text) => page_size(&text)?,
        None => TAGS_A_PAGE_MAX,
    };
    let last = request.parameter("last").filter(|text| !text.is_empty());
    if last.as_deref().is_some_and(|last| !is_tag(last)) {
        return Err(Refusal::new(Code::TagInvalid, "The parameter 'last' is no tag."));
    }
    let store = &request.ecr().platform.store;
    // Nothing was asked for, and nothing can come after it.
    let (tags, more) = match limit {
        0 => (Vec::new(), false),
        _ => image::tags(store, &repository, last.as_deref(), limit).await?,
    };
    let answer = Answer::new(StatusCode::OK).content_type("application/json");
    let answer = match tags.last().filter(|_| more) {
        Some(last) => answer.header(LINK, &format!("</v2/{name}/tags/list?n={limit}&last={last}>; rel=\"next\"")),
        None => answer,
    };
    let document = json!({"name": name, "tags": tags}).to_string();
    Ok(answer.body(RawBody::Bytes(document.into())).done("ListTags"))
}

/// How many tags are asked for, up to [`TAGS_A_PAGE_MAX`].
fn page_size(text: &str) -> Result<usize, Refusal> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::new(Code::PaginationNumberInvalid, "The parameter 'n' is no number."));
    }
    // A number beyond all others asks for everything.
    Ok(text.parse().map_or(TAGS_A_PAGE_MAX, |asked: usize| asked.min(TAGS_A_PAGE_MAX)))
}
