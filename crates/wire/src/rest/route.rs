//! Which operation a request asks for: method, path and query, against every operation that the model has.
//!
//! Operations that are not served take part: a request for one of them is told so instead of reaching another whose path is
//! the same. Of several that fit, the one wins whose path says more, then the one whose query says more, then the one of
//! whose input more is there that it cannot do without (`PUT /bucket/key` is UploadPart with `uploadId` and `partNumber`,
//! CopyObject with `x-amz-copy-source`, and PutObject otherwise). In S3, whose operations have their paths in common, one
//! that nothing but parameters tells apart is not asked for without them: `POST /bucket/key` is nothing at all.

use http::{HeaderMap, Method};

use super::Parameters;
use crate::model::{Http, ServiceModel};

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRoute {
    /// No operation has this method and path.
    Unknown,
    /// The query asks for several at once: these parameters.
    Conflicting(Vec<&'static str>),
}

/// How well an operation fits; more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    /// Segments of its path that are written out.
    segments: usize,
    /// What its query must hold.
    literals: usize,
    /// Whether everything is there that its input cannot do without.
    is_complete: bool,
    /// How much that is.
    needs: usize,
    is_served: bool,
}

/// The number of the operation that is asked for.
///
/// # Errors
/// [`NoRoute`]
pub fn route(
    model: &ServiceModel,
    method: &Method,
    path: &str,
    parameters: &Parameters,
    headers: &HeaderMap,
) -> Result<usize, NoRoute> {
    let mut candidates: Vec<(Fit, usize, &'static str)> = Vec::new();
    for operation in 0..model.operations.len() {
        let Some(http) = model.http(operation).filter(|http| method.as_str() == http.method) else { continue };
        let (template, literals) = split(http.uri);
        let Some(segments) = fits_path(template, path) else { continue };
        if !literals.clone().all(|(name, value)| holds(parameters, name, value)) {
            continue;
        }
        let (needs, is_complete) = needs_of(&http, parameters, headers);
        if super::is_s3(model) && literals.clone().next().is_none() && !has_parameters(&http, parameters) {
            continue;
        }
        let is_served = model.operations[operation].is_served;
        let fit = Fit { segments, literals: literals.count(), is_complete, needs, is_served };
        candidates.push((fit, operation, query_of(http.uri)));
    }
    let (best, operation, query) = *candidates.iter().max_by_key(|(fit, ..)| *fit).ok_or(NoRoute::Unknown)?;
    let as_specific =
        candidates.iter().filter(|(fit, ..)| (fit.segments, fit.literals) == (best.segments, best.literals));
    let mut queries: Vec<&str> = as_specific.map(|(.., query)| *query).collect();
    queries.sort_unstable();
    queries.dedup();
    match queries[..] == [query] {
        true => Ok(operation),
        false => Err(NoRoute::Conflicting(queries)),
    }
}

/// The labels of a path, undecoded, by their names.
pub(super) fn labels<'p>(uri: &'static str, path: &'p str) -> Vec<(&'static str, &'p str)> {
    let (template, _) = split(uri);
    let (wanted, mut found) = (segments(template), segments(path));
    let mut labels = Vec::new();
    for segment in wanted {
        match label(segment) {
            Some(name) if name.ends_with('+') => {
                labels.push((name.trim_end_matches('+'), rest_of(path, labels_before(template))));
                break;
            }
            Some(name) => labels.extend(found.next().map(|value| (name, value))),
            None => drop(found.next()),
        }
    }
    labels
}

/// How many segments stand before the greedy one.
fn labels_before(template: &str) -> usize {
    segments(template).take_while(|segment| label(segment).is_none_or(|name| !name.ends_with('+'))).count()
}

/// How many segments of a template are written out, if the path fits it.
fn fits_path(template: &str, path: &str) -> Option<usize> {
    let (mut wanted, mut found) = (segments(template).peekable(), segments(path).peekable());
    let mut written_out = 0;
    loop {
        match (wanted.next(), found.peek()) {
            (None, None) => return Some(written_out),
            // `/bucket/` is `/bucket`.
            (None, Some(&"")) => return (found.nth(1).is_none()).then_some(written_out),
            (None, Some(_)) => return None,
            (Some(segment), _) => match label(segment) {
                Some(name) if name.ends_with('+') => {
                    let is_there = found.peek().is_some() && !rest_of(path, labels_before(template)).is_empty();
                    return is_there.then_some(written_out);
                }
                Some(_) if found.next().is_none_or(str::is_empty) => return None,
                Some(_) => {}
                None if segment.is_empty() && wanted.peek().is_none() && found.peek().is_none() => {}
                None if found.next() != Some(segment) => return None,
                None => written_out += usize::from(!segment.is_empty()),
            },
        }
    }
}

/// What stands between the slashes of a path; of `/` nothing.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    (!path.is_empty()).then(|| path.split('/')).into_iter().flatten()
}

/// What stands behind the first `count` segments and their slashes.
fn rest_of(path: &str, count: usize) -> &str {
    let mut rest = path.strip_prefix('/').unwrap_or(path);
    for _ in 0..count {
        rest = rest.split_once('/').map_or("", |(_, rest)| rest);
    }
    rest
}

fn label(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// The path of a template, and what its query must hold.
fn split(uri: &'static str) -> (&'static str, impl Iterator<Item = (&'static str, Option<&'static str>)> + Clone) {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let literals = query.split('&').filter(|piece| !piece.is_empty()).map(|piece| match piece.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (piece, None),
    });
    (path, literals)
}

fn query_of(uri: &'static str) -> &'static str {
    uri.split_once('?').map_or("", |(_, query)| query)
}

fn holds(parameters: &Parameters, name: &str, value: Option<&str>) -> bool {
    match (parameters.get(name), value) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(found), Some(wanted)) => found == wanted,
    }
}

/// How much an operation cannot do without, and whether all of it is there.
fn needs_of(http: &Http, parameters: &Parameters, headers: &HeaderMap) -> (usize, bool) {
    let mut count = 0;
    let mut is_complete = true;
    for need in http.needs.split(' ').filter(|need| !need.is_empty()) {
        count += 1;
        is_complete &= match need.strip_prefix('?') {
            Some(parameter) => parameters.has(parameter),
            None => headers.contains_key(need),
        };
    }
    (count, is_complete)
}

/// Whether the parameters are there that an operation cannot do without.
fn has_parameters(http: &Http, parameters: &Parameters) -> bool {
    http.needs.split(' ').filter_map(|need| need.strip_prefix('?')).all(|parameter| parameters.has(parameter))
}

#[cfg(test)]
mod tests;
