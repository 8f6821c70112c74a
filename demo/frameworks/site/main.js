const ws = new WebSocket(`ws://${location.host}/echo`);
ws.onopen = () => ws.send('hello');
ws.onmessage = ({ data }) => document.body.append(data);
