use iam::api::{
    CreateInstanceProfileRequest, CreateInstanceProfileResponse, ListInstanceProfileTagsRequest,
    ListInstanceProfileTagsResponse, ListPolicyTagsRequest, ListPolicyTagsResponse, ListRoleTagsRequest,
    ListRoleTagsResponse, ListUserTagsRequest, ListUserTagsResponse, Tag, TagInstanceProfileRequest, TagPolicyRequest,
    TagRoleRequest, TagUserRequest, UntagInstanceProfileRequest, UntagPolicyRequest, UntagRoleRequest,
    UntagUserRequest,
};

use crate::bench::{Bench, Refusal, policy_arn, refusal, tag};

/// The kinds of entity that have tags.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    User,
    Role,
    Policy,
    InstanceProfile,
}

const KINDS: [Kind; 4] = [Kind::User, Kind::Role, Kind::Policy, Kind::InstanceProfile];

impl Kind {
    async fn create(self, bench: &Bench) -> String {
        match self {
            Self::User => bench.create_user("it").await.unwrap().user_name,
            Self::Role => bench.create_role("it").await.unwrap().role_name,
            Self::Policy => bench.create_policy("it").await.unwrap().arn.unwrap(),
            Self::InstanceProfile => {
                let input =
                    CreateInstanceProfileRequest { instance_profile_name: "it".to_owned(), ..Default::default() };
                let answer: CreateInstanceProfileResponse = bench.ask("CreateInstanceProfile", input).await.unwrap();
                answer.instance_profile.instance_profile_name
            }
        }
    }

    async fn tag(self, bench: &Bench, it: &str, tags: Vec<Tag>) -> Result<(), Refusal> {
        let it = it.to_owned();
        match self {
            Self::User => bench.tell("TagUser", TagUserRequest { tags, user_name: it }).await,
            Self::Role => bench.tell("TagRole", TagRoleRequest { role_name: it, tags }).await,
            Self::Policy => bench.tell("TagPolicy", TagPolicyRequest { policy_arn: it, tags }).await,
            Self::InstanceProfile => {
                bench.tell("TagInstanceProfile", TagInstanceProfileRequest { instance_profile_name: it, tags }).await
            }
        }
    }

    async fn untag(self, bench: &Bench, it: &str, keys: &[&str]) -> Result<(), Refusal> {
        let (it, tag_keys) = (it.to_owned(), keys.iter().map(|key| (*key).to_owned()).collect());
        match self {
            Self::User => bench.tell("UntagUser", UntagUserRequest { tag_keys, user_name: it }).await,
            Self::Role => bench.tell("UntagRole", UntagRoleRequest { role_name: it, tag_keys }).await,
            Self::Policy => bench.tell("UntagPolicy", UntagPolicyRequest { policy_arn: it, tag_keys }).await,
            Self::InstanceProfile => {
                let input = UntagInstanceProfileRequest { instance_profile_name: it, tag_keys };
                bench.tell("UntagInstanceProfile", input).await
            }
        }
    }

    /// The tags of all pages of one item.
    async fn tags(self, bench: &Bench, it: &str) -> Result<Vec<Tag>, Refusal> {
        let (mut all, mut marker) = (Vec::new(), None);
        loop {
            let (tags, next) = self.page(bench, it, marker).await?;
            assert!(tags.len() <= 1);
            all.extend(tags);
            marker = next;
            if marker.is_none() {
                return Ok(all);
            }
        }
    }

    async fn page(
        self,
        bench: &Bench,
        it: &str,
        marker: Option<String>,
    ) -> Result<(Vec<Tag>, Option<String>), Refusal> {
        let (it, max_items) = (it.to_owned(), Some(1));
        Ok(match self {
            Self::User => {
                let input = ListUserTagsRequest { marker, max_items, user_name: it };
                let answer: ListUserTagsResponse = bench.ask("ListUserTags", input).await?;
                (answer.tags, answer.marker)
            }
            Self::Role => {
                let input = ListRoleTagsRequest { marker, max_items, role_name: it };
                let answer: ListRoleTagsResponse = bench.ask("ListRoleTags", input).await?;
                (answer.tags, answer.marker)
            }
            Self::Policy => {
                let input = ListPolicyTagsRequest { marker, max_items, policy_arn: it };
                let answer: ListPolicyTagsResponse = bench.ask("ListPolicyTags", input).await?;
                (answer.tags, answer.marker)
            }
            Self::InstanceProfile => {
                let input = ListInstanceProfileTagsRequest { marker, max_items, instance_profile_name: it };
                let answer: ListInstanceProfileTagsResponse = bench.ask("ListInstanceProfileTags", input).await?;
                (answer.tags, answer.marker)
            }
        })
    }

    fn missing(self) -> (String, Refusal) {
        let (it, message) = match self {
            Self::User => ("none".to_owned(), "The user with name none cannot be found.".to_owned()),
            Self::Role => ("none".to_owned(), "The role with name none cannot be found.".to_owned()),
            Self::Policy => (policy_arn("none"), format!("Policy {} was not found.", policy_arn("none"))),
            Self::InstanceProfile => ("none".to_owned(), "Instance Profile none cannot be found.".to_owned()),
        };
        (it, refusal("NoSuchEntity", 404, &message))
    }
}

#[tokio::test]
async fn tags_are_added_replaced_listed_in_pages_and_removed() {
    for kind in KINDS {
        let bench = Bench::new();
        let it = kind.create(&bench).await;
        assert_eq!(kind.tags(&bench, &it).await, Ok(Vec::new()));
        kind.tag(&bench, &it, vec![tag("b", "1"), tag("a", "2")]).await.unwrap();
        kind.tag(&bench, &it, vec![tag("b", "")]).await.unwrap();
        assert_eq!(kind.tags(&bench, &it).await, Ok(vec![tag("a", "2"), tag("b", "")]), "{kind:?}");
        kind.untag(&bench, &it, &["a", "not there"]).await.unwrap();
        assert_eq!(kind.tags(&bench, &it).await, Ok(vec![tag("b", "")]), "{kind:?}");
    }
}

#[tokio::test]
async fn keys_of_users_and_roles_are_one_in_every_case() {
    for kind in KINDS {
        let bench = Bench::new();
        let it = kind.create(&bench).await;
        kind.tag(&bench, &it, vec![tag("Key", "1")]).await.unwrap();
        kind.tag(&bench, &it, vec![tag("key", "2")]).await.unwrap();
        let tags = kind.tags(&bench, &it).await.unwrap();
        let twice = kind.tag(&bench, &it, vec![tag("x", "1"), tag("X", "2")]).await;
        if matches!(kind, Kind::User | Kind::Role) {
            assert_eq!(tags, [tag("key", "2")], "{kind:?}");
            let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            assert_eq!(twice, Err(refusal("InvalidInput", 400, message)), "{kind:?}");
        } else {
            assert_eq!(tags, [tag("Key", "1"), tag("key", "2")], "{kind:?}");
            assert_eq!(twice, Ok(()), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn fifty_tags_fit() {
    for kind in KINDS {
        let bench = Bench::new();
        let it = kind.create(&bench).await;
        let many = |range: std::ops::Range<u32>| range.map(|number| tag(&format!("k{number}"), "")).collect();
        kind.tag(&bench, &it, many(0..50)).await.unwrap();
        kind.tag(&bench, &it, many(20..30)).await.unwrap();
        let full = refusal("LimitExceeded", 409, "The number of tags has reached the maximum limit.");
        assert_eq!(kind.tag(&bench, &it, many(50..51)).await, Err(full), "{kind:?}");
    }
}

#[tokio::test]
async fn tags_of_nothing_are_refused() {
    let bench = Bench::new();
    for kind in KINDS {
        let (it, refused) = kind.missing();
        assert_eq!(kind.tag(&bench, &it, vec![tag("a", "1")]).await, Err(refused.clone()));
        assert_eq!(kind.untag(&bench, &it, &["a"]).await, Err(refused.clone()));
        assert_eq!(kind.tags(&bench, &it).await, Err(refused));
    }
}
