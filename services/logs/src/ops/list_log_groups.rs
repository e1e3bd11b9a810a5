//! ListLogGroups.

use platform::{Access, Ctx};

use crate::api::{ListLogGroupsRequest, ListLogGroupsResponse, LogGroupSummary, TagFilter};
use crate::group::{self, GroupsPage, LogGroup};
use crate::names::{GroupName, on_no_group};
use crate::ops::describe_log_groups::concerns;
use crate::{Error, Logs, Tags, page};

/// The page that is answered when none is asked for.
const PAGE_DEFAULT: usize = 50;
/// The largest page.
const PAGE_MAX: usize = 1000;

pub(crate) fn access(ctx: &Ctx, _: &ListLogGroupsRequest) -> Access {
    on_no_group(ctx, "logs:ListLogGroups")
}

/// Lists log groups by name.
pub(crate) async fn list_log_groups(
    logs: &Logs,
    ctx: &Ctx,
    input: ListLogGroupsRequest,
) -> Result<ListLogGroupsResponse, Error> {
    const LIST: &str = "ListLogGroups";
    if input.data_sources.is_some() {
        return Err(Error::NotServed("dataSources"));
    }
    if input.field_index_names.is_some() {
        return Err(Error::NotServed("fieldIndexNames"));
    }
    if !concerns(ctx, input.account_identifiers.as_deref()) {
        return Ok(ListLogGroupsResponse { log_groups: Some(Vec::new()), next_token: None });
    }
    let after = page::open(&logs.platform, ctx, LIST, input.next_token.as_deref())?;
    let window = ("", after, input.limit.map_or(PAGE_DEFAULT, |limit| page::size(Some(limit), PAGE_MAX)));
    let wanted = |name: &str, group: &LogGroup| {
        input.log_group_class.is_none_or(|class| class == group.class)
            && input.log_group_name_pattern.as_deref().is_none_or(|pattern| is_matched(name, pattern))
            && input.log_group_tags.iter().flatten().all(|filter| has_tag(&group.tags, filter))
    };
    let GroupsPage { groups, next } = group::list(&logs.platform.store, &ctx.scope(), window, wanted).await?;
    let summaries = groups.iter().map(|group| {
        let name = group::name_of(group);
        LogGroupSummary {
            log_group_arn: Some(GroupName::own(ctx, &name).arn()),
            log_group_name: Some(name),
            log_group_class: Some(group.class),
        }
    });
    let next_token = page::next(&logs.platform, ctx, LIST, next.as_deref());
    Ok(ListLogGroupsResponse { log_groups: Some(summaries.collect()), next_token })
}

/// `one|^two`: a part of the name, or with `^` its beginning.
fn is_matched(name: &str, pattern: &str) -> bool {
    pattern.split('|').any(|part| match part.strip_prefix('^') {
        Some(start) => name.starts_with(start),
        None => name.contains(part),
    })
}

/// Whether a group has a tag of the filter's key and one of its values, if it names any. `!` before a value stands for
/// all others, `*` at either end for any text.
fn has_tag(tags: &Tags, filter: &TagFilter) -> bool {
    let Some(value) = tags.get(&filter.key) else { return false };
    let mut wanted = filter.values.iter().flatten().peekable();
    wanted.peek().is_none()
        || wanted.any(|pattern| match pattern.strip_prefix('!') {
            Some(other) => !is_like(value, other),
            None => is_like(value, pattern),
        })
}

fn is_like(value: &str, pattern: &str) -> bool {
    let (open_start, rest) = pattern.strip_prefix('*').map_or((false, pattern), |rest| (true, rest));
    let (open_end, text) = rest.strip_suffix('*').map_or((false, rest), |text| (true, text));
    match (open_start, open_end) {
        (false, false) => value == text,
        (false, true) => value.starts_with(text),
        (true, false) => value.ends_with(text),
        (true, true) => value.contains(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_parts_of_a_name() {
        assert!(is_matched("/aws/lambda/f", "lambda") && is_matched("/aws/lambda/f", "xyz|^/aws"));
        assert!(!is_matched("/aws/lambda/f", "^lambda") && !is_matched("/aws/lambda/f", "Lambda"));
    }

    #[test]
    fn a_tag_filter_takes_wildcards_and_negation() {
        let tags = Tags::admit(Some([("team".to_owned(), "blue-one".to_owned())].into())).unwrap();
        let has = |key: &str, values: &[&str]| {
            let values = values.iter().map(|&value| value.to_owned()).collect();
            has_tag(&tags, &TagFilter { key: key.to_owned(), values: Some(values) })
        };
        assert!(
            has("team", &[]) && has("team", &["red", "blue*"]) && has("team", &["*-one"]) && has("team", &["*ue*"])
        );
        assert!(has("team", &["!red"]) && !has("team", &["!blue*"]) && !has("team", &["blue"]) && !has("x", &[]));
    }
}
