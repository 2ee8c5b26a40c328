import org.apache.spark.sql.api.java.UDF1;

/** Runs in the JVM of an executor, which has the URI of the local service in its environment. */
public final class RotationUdf implements UDF1<String, String> {
    @Override
    public String call(String cloud) throws Exception {
        return ProcessHandle.current().pid() + " " + Rotation.work(System.getenv("ALIBABA_CLOUD_CREDENTIALS_URI"), cloud, 3);
    }
}
