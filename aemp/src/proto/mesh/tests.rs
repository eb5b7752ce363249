mod rules;
mod sim;
