//! A macro that runs each test on both databases.

/// Turns each `async fn name(db: TestDatabase)` into two tests, `sqlite::name` and `postgres::name`, so that the output
/// shows how many ran on which. Use it once per module.
///
/// They run on tokio with two threads; `#![…]` as the first line selects another attribute, such as
/// `#![actix_web::test]`.
///
/// ```no_run
/// use ficha_store::testing::TestDatabase;
///
/// ficha_store::on_both_databases! {
///     async fn a_new_database_has_no_users(db: TestDatabase) {
///         assert_eq!(db.store().await.list_users(None, 10).await, Ok(Vec::new()));
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! on_both_databases {
    (#![$runtime:meta] $($(#[$attribute:meta])* async fn $name:ident($db:ident: $kind:ty) $body:block)*) => {
        $($(#[$attribute])* async fn $name($db: $kind) $body)*

        mod sqlite {
            $(
                #[$runtime]
                async fn $name() {
                    super::$name($crate::testing::TestDatabase::sqlite().await).await;
                }
            )*
        }

        mod postgres {
            $(
                #[$runtime]
                async fn $name() {
                    if let Some(database) = $crate::testing::TestDatabase::postgres().await {
                        super::$name(database).await;
                    }
                }
            )*
        }
    };
    ($($rest:tt)*) => {
        $crate::on_both_databases! { #![tokio::test(flavor = "multi_thread", worker_threads = 2)] $($rest)* }
    };
}
