// Loaded before the first paint, so that a chosen theme does not flash in the other one first.
document.documentElement.dataset.theme = localStorage.getItem("mistralet.theme") ?? "system";
