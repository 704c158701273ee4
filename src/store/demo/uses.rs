//! Who uses the demo: what fills its groups, and the model, endpoint and dashboard that its training dataset is there for.
//!
//! All of it is declared, as people would: no load and no build can know it.

use crate::model::Result;
use crate::store::FeatureStore;
use crate::store::lineage::Declaration;

/// From, to, and who answers for what it goes to. `{dataset}` is the training dataset in its version.
const USES: [(&str, &str, Option<&str>); 8] = [
    ("source:postgres/shop.orders", "job:nightly-customer-features", Some("team:growth")),
    ("job:nightly-customer-features", "customer-features", None),
    ("{dataset}", "model:churn", Some("team:growth")),
    ("model:churn", "endpoint:churn-prod", Some("team:platform")),
    ("customer-features.loyalty_score", "endpoint:churn-prod", None),
    ("customer-features.total_purchases", "endpoint:churn-prod", None),
    ("customer-features.loyalty_score", "dashboard:loyalty", Some("team:marketing")),
    // Of this one nobody said which features it reads.
    ("customer-features", "notebook:customer-segments", None),
];

impl FeatureStore {
    /// Declares who uses the demo; what was declared before stays as it is.
    pub(super) async fn declare_demo_uses(&self, dataset: &str) -> Result<()> {
        for (from, to, owner) in USES {
            let declaration = Declaration {
                from: if from == "{dataset}" { dataset.to_owned() } else { from.to_owned() },
                to: to.to_owned(),
                kind: None,
                since: None,
                owner: owner.map(str::to_owned),
            };
            self.declare_lineage(&declaration).await?;
        }
        Ok(())
    }
}
