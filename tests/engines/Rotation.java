import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Signed calls with Java's own HTTP client until several sets of credentials were used, which a local service gives. */
public final class Rotation {
    private static final long PATIENCE_MILLIS = 60_000;
    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    /** Prints the AccessKey IDs: java Rotation.java CLOUD-URL SETS */
    public static void main(String[] arguments) throws Exception {
        String uri = System.getenv("ALIBABA_CLOUD_CREDENTIALS_URI");
        System.out.println(work(uri, arguments[0], Integer.parseInt(arguments[1])));
    }

    /** The AccessKey IDs, separated by commas; throws where a call was refused. */
    public static String work(String credentialsUri, String cloud, int sets) throws Exception {
        Set<String> keys = new LinkedHashSet<>();
        long ends = System.currentTimeMillis() + PATIENCE_MILLIS;
        while (keys.size() < sets) {
            if (System.currentTimeMillis() > ends) {
                throw new IllegalStateException("only " + keys.size() + " sets of credentials");
            }
            String answer = CLIENT.send(HttpRequest.newBuilder(URI.create(credentialsUri)).build(), BodyHandlers.ofString()).body();
            call(URI.create(cloud), field(answer, "AccessKeyId"), field(answer, "AccessKeySecret"), field(answer, "SecurityToken"));
            keys.add(field(answer, "AccessKeyId"));
            Thread.sleep(50);
        }
        return String.join(",", keys);
    }

    private static void call(URI cloud, String id, String secret, String token) throws Exception {
        Map<String, String> headers = new TreeMap<>();
        headers.put("host", cloud.getAuthority());
        headers.put("x-acs-action", "GetCallerIdentity");
        headers.put("x-acs-content-sha256", hash(""));
        headers.put("x-acs-date", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        headers.put("x-acs-security-token", token);
        headers.put("x-acs-signature-nonce", UUID.randomUUID().toString());
        headers.put("x-acs-version", "2015-04-01");
        String names = String.join(";", headers.keySet());
        StringBuilder canonical = new StringBuilder("POST\n/\n\n");
        headers.forEach((name, value) -> canonical.append(name).append(':').append(value).append('\n'));
        canonical.append('\n').append(names).append('\n').append(hash(""));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
        String signature = HexFormat.of().formatHex(mac.doFinal(("ACS3-HMAC-SHA256\n" + hash(canonical.toString())).getBytes(StandardCharsets.UTF_8)));
        HttpRequest.Builder request = HttpRequest.newBuilder(cloud.resolve("/")).POST(HttpRequest.BodyPublishers.noBody());
        headers.forEach((name, value) -> { if (!name.equals("host")) request.header(name, value); });
        request.header("Authorization", "ACS3-HMAC-SHA256 Credential=" + id + ",SignedHeaders=" + names + ",Signature=" + signature);
        int status = CLIENT.send(request.build(), BodyHandlers.ofString()).statusCode();
        if (status != 200) {
            throw new IllegalStateException("the call was refused: " + status);
        }
    }

    private static String field(String json, String name) {
        Matcher found = Pattern.compile("\"" + name + "\"\\s*:\\s*\"([^\"]*)\"").matcher(json);
        if (!found.find()) {
            throw new IllegalStateException("the answer has no " + name);
        }
        return found.group(1);
    }

    private static String hash(String text) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
    }
}
