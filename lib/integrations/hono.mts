// What `import webSocket from` gets in an ES module; for the file that require() gets, it would be an object with the function in it.
import commonJs from './hono.js';

export default commonJs.default;
