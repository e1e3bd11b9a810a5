use base::SystemClock;
use images::Image;
use platform::Platform;

use super::*;

struct Bed {
    _directory: tempfile::TempDir,
    runtimes: Runtimes,
    platform: Platform,
    blobs: Blobs,
}

fn bed() -> Bed {
    let directory = tempfile::tempdir().unwrap();
    let blobs = Blobs::open_root(&directory.path().join("blobs")).unwrap();
    let platform = Platform::in_memory();
    let runtimes = Runtimes::new(platform.store.clone(), blobs.clone(), Arc::new(SystemClock));
    Bed { _directory: directory, runtimes, platform, blobs }
}

impl Bed {
    /// The same after the server has started anew.
    fn anew(&self) -> Runtimes {
        Runtimes::new(self.platform.store.clone(), self.blobs.clone(), Arc::new(SystemClock))
    }

    async fn listed(&self, name: &str) -> Option<ListedRuntime> {
        self.runtimes.list().await.unwrap().into_iter().find(|runtime| runtime.name == name)
    }
}

#[tokio::test]
async fn a_runtime_of_ones_own_programs_is_made_when_it_is_wanted_and_then_is_there() {
    let bed = bed();
    assert_eq!(bed.listed("provided.al2023").await.unwrap().state, RuntimeState::Found);
    let (one, other) = tokio::join!(bed.runtimes.find("provided.al2023"), bed.runtimes.find("provided.al2023"));
    let root = one.unwrap().unwrap();
    assert_eq!(other.unwrap().unwrap(), root);
    let image = Image::resolve(&bed.blobs, &root, &images::Platform::host()).unwrap();
    assert!(image.has(&bed.blobs, &["etc/passwd"]).unwrap().contains("etc/passwd"));
    let listed = bed.listed("provided.al2023").await.unwrap();
    assert!(listed.state == RuntimeState::Ready && listed.layer_bytes > Some(0), "{listed:?}");
    let kept = bed.platform.store.referenced_blobs().await.unwrap();
    assert!(kept.contains(&root.digest.blob().unwrap()), "its blobs are not collected");
    // Nothing of this machine has changed, so that the image is the same after a start.
    assert_eq!(bed.anew().find("provided.al2023").await.unwrap(), Some(root));
    assert_eq!(bed.listed("provided.al2023").await.unwrap(), listed);
}

#[tokio::test]
async fn a_runtime_whose_files_have_changed_is_made_anew_and_one_whose_files_are_gone_stays() {
    let bed = bed();
    let root = bed.runtimes.find("provided.al2").await.unwrap().unwrap();
    let record = record::find(&bed.platform.store, "provided.al2").await.unwrap().unwrap().value;
    let Standing::Offered(offered) = record.standing.clone() else { panic!("{record:?}") };
    let with = |program: Option<PathBuf>| {
        let origin = Origin::Machine { program, fingerprint: "another".to_owned() };
        let offered = Offered { origin, files: Vec::new(), ..(*offered).clone() };
        Runtime { standing: Standing::Offered(Box::new(offered)), ..record.clone() }
    };
    record::keep(&bed.platform.store, &with(None)).await.unwrap();
    assert_eq!(bed.anew().find("provided.al2").await.unwrap(), Some(root.clone()));
    let now = record::find(&bed.platform.store, "provided.al2").await.unwrap().unwrap().value;
    assert_eq!(now.standing, record.standing, "it was made anew");
    let python = Runtime { name: "python3.13".to_owned(), ..with(Some("/nonexistent/python3.13".into())) };
    record::keep(&bed.platform.store, &python).await.unwrap();
    assert_eq!(bed.anew().find("python3.13").await.unwrap(), Some(root));
}

#[tokio::test]
async fn a_runtime_that_was_removed_comes_back_only_when_it_is_added() {
    let bed = bed();
    assert!(bed.runtimes.remove("provided.al2").await.unwrap());
    assert!(!bed.runtimes.remove("provided.al2").await.unwrap());
    assert_eq!(bed.runtimes.find("provided.al2").await.unwrap(), None);
    assert_eq!(bed.listed("provided.al2").await.unwrap().state, RuntimeState::Removed);
    let added = bed.runtimes.add("provided.al2", Source::Machine, None).await.unwrap();
    assert_eq!(added.state, RuntimeState::Ready);
    assert!(bed.runtimes.find("provided.al2").await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_no_runtime_or_not_here_is_none_and_adding_it_says_how() {
    let bed = bed();
    for name in ["cobol85", "java21", "../x", ""] {
        assert_eq!(bed.runtimes.find(name).await.unwrap(), None, "{name}");
    }
    let add = |name: &'static str, source| bed.runtimes.add(name, source, None);
    let error = add("cobol85", Source::Machine).await.unwrap_err().to_string();
    assert_eq!(error, "Lambda has no runtime cobol85");
    let error = add("ruby3.4", Source::Machine).await.unwrap_err().to_string();
    assert!(error.contains("--image REF"), "{error}");
    let error = add("ruby3.4", Source::Host("/bin/sh".into())).await.unwrap_err().to_string();
    assert!(error.contains("can only be an image"), "{error}");
    let error = add("ruby3.4", Source::Image("ruby".parse().unwrap())).await.unwrap_err().to_string();
    assert!(error.contains("there is no image docker.io/library/ruby:latest here"), "{error}");
}

#[tokio::test]
async fn an_image_that_is_here_becomes_a_runtime() {
    let bed = bed();
    let mut tree = tree::Tree::default();
    tree.own("/var/runtime/bootstrap", "#!/bin/sh\n", true);
    let made = image::make(&bed.blobs, &[tree], &BTreeMap::new()).unwrap();
    let reference: Reference = "public.example/lambda/ruby:3.4".parse().unwrap();
    let source = Source::Image(reference.clone());
    let added = bed.runtimes.add("ruby3.4", source, Some(made.root.clone())).await.unwrap();
    assert_eq!((added.image, added.state), (Some(reference), RuntimeState::Ready));
    assert_eq!(bed.runtimes.find("ruby3.4").await.unwrap(), Some(made.root));
}
