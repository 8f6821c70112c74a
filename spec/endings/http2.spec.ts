import { describeEndings } from './endings';

describeEndings('HTTP/2');
