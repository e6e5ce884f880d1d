"""Settlement lists (医疗保障基金结算清单, messages 4101-4105): what a list says, and what is wrong with it."""
