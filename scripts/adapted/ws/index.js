module.exports = require('../../../lib/adapters/ws');
