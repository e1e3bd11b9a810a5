//! Inline policies of users and roles.
//!
//! The holder's record has their names and sizes; the texts are records of their own, found by the holder's unique id,
//! so that a renaming does not touch them.

use platform::Ctx;
use serde::{Deserialize, Serialize};
use store::{Record, Tx, Versioned};

use crate::attachment::PolicyHolder;
use crate::page::{Page, PageRequest};
use crate::{Error, Iam};
use policy::Purpose;

/// The text of an inline policy or of a version of a managed policy. Its id is its owner's unique id and its own name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PolicyText {
    pub(crate) document: String,
}

impl Record for PolicyText {
    const SERVICE: &'static str = crate::entity::SERVICE;
    const KIND: &'static str = "policy-text";
}

impl Iam {
    /// Adds an inline policy or takes the place of the one with its name.
    pub(crate) async fn put_inline<H: PolicyHolder>(
        &self,
        ctx: &Ctx,
        holder: &str,
        name: &str,
        document: &str,
    ) -> Result<(), Error> {
        policy::parse(document, Purpose::Inline)?;
        let size = policy::counted_size(document);
        let text = PolicyText { document: document.to_owned() };
        self.transact(|| async {
            let old = self.find::<H>(ctx, holder).await?;
            old.check_modifiable()?;
            let mut new = old.value.clone();
            let inline = &mut new.held_mut().inline;
            inline.insert(name.to_owned(), size);
            if inline.values().sum::<usize>() > H::INLINE_SIZE_MAX {
                let (max, owner) = (H::INLINE_SIZE_MAX, H::NOUN.kind());
                return Err(Error::InlineSize { max, owner, name: old.identity().name.clone() });
            }
            let mut tx = Tx::new();
            tx.replace(&old, &new);
            let owner_id = &old.identity().id;
            match self.read_text(ctx, owner_id, name).await? {
                Some(before) => tx.replace(&before, &text),
                None => tx.insert(&ctx.global_scope(), &[owner_id, name], &text),
            };
            Ok((tx, ()))
        })
        .await
    }

    /// The text of an inline policy, and its holder.
    pub(crate) async fn inline<H: PolicyHolder>(
        &self,
        ctx: &Ctx,
        holder: &str,
        name: &str,
    ) -> Result<(H, String), Error> {
        let holder = self.find::<H>(ctx, holder).await?.value;
        let text = self.read_text(ctx, &holder.identity().id, name).await?.ok_or_else(|| missing::<H>(name))?;
        Ok((holder, text.value.document))
    }

    /// Removes an inline policy.
    pub(crate) async fn delete_inline<H: PolicyHolder>(
        &self,
        ctx: &Ctx,
        holder: &str,
        name: &str,
    ) -> Result<(), Error> {
        self.transact(|| async {
            let old = self.find::<H>(ctx, holder).await?;
            old.check_modifiable()?;
            let mut new = old.value.clone();
            new.held_mut().inline.remove(name).ok_or_else(|| missing::<H>(name))?;
            let mut tx = Tx::new();
            tx.replace(&old, &new);
            if let Some(text) = self.read_text(ctx, &old.identity().id, name).await? {
                tx.remove(&text);
            }
            Ok((tx, ()))
        })
        .await
    }

    /// A page of the names of a user's or role's inline policies.
    pub(crate) async fn inline_names<H: PolicyHolder>(
        &self,
        ctx: &Ctx,
        holder: &str,
        request: PageRequest<'_>,
    ) -> Result<Page<String>, Error> {
        let holder = self.find::<H>(ctx, holder).await?;
        Ok(request.of(holder.held().inline.keys().map(|name| (name.clone(), name.clone()))))
    }

    /// The text of a policy, by its owner's unique id and its own name.
    pub(crate) async fn read_text(
        &self,
        ctx: &Ctx,
        owner_id: &str,
        name: &str,
    ) -> Result<Option<Versioned<PolicyText>>, Error> {
        Ok(self.platform.store.read(&ctx.global_scope(), &[owner_id, name]).await?)
    }
}

fn missing<H: PolicyHolder>(name: &str) -> Error {
    Error::NoSuchInlinePolicy { owner: H::NOUN.kind(), name: name.to_owned() }
}
