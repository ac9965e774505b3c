// Keys of the page, and where the focus goes. Listens on the document: it knows elements by their ids alone.
