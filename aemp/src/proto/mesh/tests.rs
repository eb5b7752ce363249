mod failures;
mod rules;
mod sim;
