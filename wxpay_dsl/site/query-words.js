((query, terms) => {
  const words = []
  for (let start = 0, end; start < query.length; start = end) {
    end = query.length
    while (end > start + 1 && !(query.slice(start, end) in terms)) end--
    words.push(query.slice(start, end))
  }
  return words.join("* ")
})
