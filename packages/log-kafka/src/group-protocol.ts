/** Members that speak another protocol are refused by the broker: the number grows when they would not understand each other. */
export const GROUP_PROTOCOL = 'playhead-1';
/** Of Kafka's own format of what consumers tell each other, so that its tools can show who has what. */
export const CONSUMER_FORMAT_VERSION = 0;
