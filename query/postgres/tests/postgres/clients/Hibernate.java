import jakarta.persistence.*;
import java.util.*;
import java.util.stream.Collectors;
import org.hibernate.Session;
import org.hibernate.cfg.Configuration;

/** Hibernate: an entity that is read in pages. */
public class Hibernate {
    @Entity
    @Table(name = "events", schema = "archive")
    public static class Event {
        @Id String id;
        String subject;
        String type;
        java.time.Instant time;
        Integer rating;
    }

    static void tell(String check, Object got) {
        System.out.println("{\"check\": \"" + check + "\", \"got\": " + got + "}");
    }

    static String texts(Collection<?> texts) {
        return texts.stream().map(text -> "\"" + text + "\"").collect(Collectors.joining(", ", "[", "]"));
    }

    public static void main(String[] arguments) {
        java.util.logging.Logger.getLogger("org.hibernate").setLevel(java.util.logging.Level.WARNING);
        var configuration = new Configuration().addAnnotatedClass(Event.class);
        configuration.setProperty("hibernate.connection.url", "jdbc:postgresql://" + arguments[0] + ":" + arguments[1] + "/holdfast");
        configuration.setProperty("hibernate.connection.username", arguments[2]);
        configuration.setProperty("hibernate.connection.password", arguments[3]);
        try (var factory = configuration.buildSessionFactory(); Session session = factory.openSession()) {
            tell("tls", "\"" + session.createNativeQuery("SHOW ssl", String.class).getSingleResult() + "\"");
            List<String> subjects = new ArrayList<>();
            for (int at = 0; at < 48; at += 8) {
                var query = session.createSelectionQuery("select subject from Hibernate$Event where type = :type order by subject", String.class);
                subjects.addAll(query.setParameter("type", "session.started").setFirstResult(at).setMaxResults(8).getResultList());
            }
            tell("pages", texts(subjects));
            Event event = session.find(Event.class, "S-003-50");
            tell("row", texts(List.of(event.subject, event.rating, event.time)));
            var since = session.createSelectionQuery("select count(*) from Hibernate$Event where time >= :since", Long.class);
            tell("since", since.setParameter("since", java.time.Instant.parse("2026-05-10T08:30:00Z")).getSingleResult());
            var among = session.createSelectionQuery("select count(*) from Hibernate$Event where subject in (:subjects)", Long.class);
            tell("in", among.setParameter("subjects", List.of("S-001", "S-002", "nobody")).getSingleResult());
            try {
                session.createNativeQuery("SELECT nothing FROM archive.events", Object.class).getResultList();
            } catch (org.hibernate.JDBCException error) {
                tell("unknown column", texts(List.of(error.getSQLState(), error.getClass().getSimpleName())));
            }
            tell("afterwards", session.createNativeQuery("SELECT 7::int4", Integer.class).getSingleResult());
        }
    }
}
