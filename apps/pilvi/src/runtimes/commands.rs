//! What the command line asks of runtimes.

use images::Reference;
use node::supply::{BoxFuture, Supply, chain};
use tracing::warn;

use super::{RuntimeError, Runtimes, Source};
use crate::control_socket::{Answer, RuntimeAnswers, RuntimeRequest, Teller};

/// Answers what the command line asks of runtimes.
pub(crate) struct RuntimeCommands {
    pub(crate) runtimes: Runtimes,
    pub(crate) supply: Supply,
}

impl RuntimeAnswers for RuntimeCommands {
    fn answer(&self, request: RuntimeRequest, teller: Teller) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let answered = match request {
                RuntimeRequest::List => self.list(&teller).await,
                RuntimeRequest::Add { name, source } => self.add(&name, source).await,
                RuntimeRequest::Remove { name } => self.remove(&name).await,
            };
            answered.unwrap_or_else(|reason| Answer::Failed { reason })
        })
    }
}

impl RuntimeCommands {
    async fn list(&self, teller: &Teller) -> Result<Answer, String> {
        for runtime in self.runtimes.list().await.map_err(told)? {
            teller.tell(Answer::Runtime(Box::new(runtime))).await;
        }
        Ok(Answer::RuntimesListed)
    }

    async fn add(&self, name: &str, source: Source) -> Result<Answer, String> {
        let root = match &source {
            Source::Image(reference) => self.supply.find(reference).await.map_err(|error| chain(&error))?,
            Source::Machine | Source::Host(_) => None,
        };
        let added = self.runtimes.add(name, source, root).await.map_err(told)?;
        Ok(Answer::Runtime(Box::new(added)))
    }

    async fn remove(&self, name: &str) -> Result<Answer, String> {
        let was_there = self.runtimes.remove(name).await.map_err(told)?;
        // What has been unpacked of it goes, too, as soon as nothing runs from it.
        let image = format!("{}/{}:{name}", lambda::runtimes::REGISTRY, lambda::runtimes::REPOSITORY);
        if let Ok(reference) = image.parse::<Reference>()
            && let Err(error) = self.supply.remove(&reference).await
        {
            warn!(runtime = name, error = chain(&error), "the image of a runtime stays until it is pruned");
        }
        Ok(Answer::Removed(was_there))
    }
}

fn told(error: RuntimeError) -> String {
    chain(&error)
}
